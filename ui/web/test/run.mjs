// SPDX-License-Identifier: Apache-2.0
//
// node test/run.mjs: bundles every *.test.ts with esbuild and runs the result under node's own test runner.
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const esbuild = createRequire(join(process.cwd(), 'package.json'))('esbuild');
const out = mkdtempSync(join(tmpdir(), 'culprit-web-'));
const tests = readdirSync('test').filter(name => name.endsWith('.test.ts'));
let code = 1;
try {
  await esbuild.build({
    entryPoints: tests.map(name => join('test', name)),
    outdir: out,
    outExtension: {'.js': '.mjs'},
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node18',
    sourcemap: 'inline',
    preserveSymlinks: true,
    logLevel: 'warning',
  });
  const files = tests.map(name => join(out, name.replace(/\.ts$/, '.mjs')));
  code = spawnSync(process.execPath, ['--test', '--enable-source-maps', ...files], {stdio: 'inherit'}).status ?? 1;
} finally {
  rmSync(out, {recursive: true});
}
process.exit(code);
