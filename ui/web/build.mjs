// SPDX-License-Identifier: Apache-2.0
//
// node build.mjs <out.c>: bundles src/ and writes web_assets_files[] of ui/web_assets.h, every file of the UI as bytes.
//
// Packages are found from the working directory, so that a build tree can hold its own node_modules beside a link to
// src/.
// Scripts, the style sheet and the icon get a hash of their content into their name and are cached for ever; index.html
// names them and is never cached. Every text is stored a second time gzip'd, when that is smaller.
import {createHash} from 'node:crypto';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, extname, join} from 'node:path';
import {gzipSync} from 'node:zlib';

const esbuild = createRequire(join(process.cwd(), 'package.json'))('esbuild');
const out = process.argv[2];
if (!out) {
  console.error('usage: node build.mjs <out.c>');
  process.exit(2);
}

const contentTypes = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const result = await esbuild
  .build({
    entryPoints: {main: 'src/main.tsx', theme: 'src/theme_early.ts', style: 'src/style.css', icon: 'src/icon.svg'},
    bundle: true,
    minify: true,
    format: 'iife',
    target: ['es2020'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    charset: 'utf8',
    legalComments: 'none',
    loader: {'.svg': 'copy'},
    preserveSymlinks: true,
    entryNames: '[name]-[hash]',
    outdir: 'assets',
    write: false,
    metafile: true,
    logLevel: 'warning',
  })
  .catch(() => process.exit(1));

const files = result.outputFiles.map(file => ({
  path: '/assets/' + file.path.split('/').pop(),
  content: Buffer.from(file.contents),
  immutable: true,
}));
const named = (stem, extension) => {
  const file = files.find(f => f.path.startsWith(`/assets/${stem}-`) && f.path.endsWith(extension));
  if (!file) throw new Error(`the bundle has no ${stem}${extension}`);
  return file.path;
};
const index = readFileSync('src/index.html', 'utf8').replace(/\{\{(\w+)(\.\w+)\}\}/g, (_, stem, ext) =>
  named(stem, ext),
);
files.push({path: '/index.html', content: Buffer.from(index), immutable: false});
files.sort((a, b) => (a.path < b.path ? -1 : 1));

function byteArray(name, bytes) {
  const lines = [];
  for (let i = 0; i < bytes.length; i += 32) lines.push('  ' + [...bytes.subarray(i, i + 32)].join(','));
  return `static const uint8_t ${name}[] = {\n${lines.join(',\n')}};\n`;
}

let arrays = '';
let table = '';
files.forEach((file, i) => {
  const type = contentTypes[extname(file.path)];
  if (!type) throw new Error(`no content type for ${file.path}`);
  const tag = createHash('sha256').update(file.content).digest('hex').slice(0, 20);
  const packed = gzipSync(file.content, {level: 9});
  const isPacked = packed.length < file.content.length;
  arrays += byteArray(`file_${i}`, file.content);
  if (isPacked) arrays += byteArray(`file_${i}_gzip`, packed);
  table +=
    `  {.path = "${file.path}", .content_type = "${type}", .etag = "\\"${tag}\\"", .etag_gzip = "\\"${tag}-gz\\"",\n` +
    `   .content = {file_${i}, sizeof file_${i}}, ` +
    (isPacked ? `.gzip = {file_${i}_gzip, sizeof file_${i}_gzip}, ` : '') +
    `.immutable = ${file.immutable}},\n`;
});

mkdirSync(dirname(out), {recursive: true});
writeFileSync(
  out,
  `// Written by ui/web/build.mjs.
#include "ui/web_assets.h"

${arrays}
const struct web_asset web_assets_files[] = {
${table}};
const size_t web_assets_file_count = ${files.length};
`,
);
