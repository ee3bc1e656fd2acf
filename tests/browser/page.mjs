// SPDX-License-Identifier: Apache-2.0
//
// One page of a browser for a test file, and its steps: each goes on where the one before it ended, so after a failure
// there is nothing to go on from.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {chromium} from 'playwright-core';
import {watch} from './checks.mjs';

export const ui = process.env.CULPRIT_UI?.replace(/\/$/, '');
export const http = process.env.CULPRIT_HTTP?.replace(/\/$/, '');
assert.ok(ui && http, 'CULPRIT_UI and CULPRIT_HTTP must be set; see tests/browser/run');

// Under a sanitizer everything takes longer: TEST_SLOW=1.
export const factor = process.env.TEST_SLOW === '1' ? 5 : 1;
export const patience = 10000 * factor;

// A file that hangs ends, and with it the browser. (Debian's node does not know --test-timeout.)
const fileMs = 180000 * factor;
setTimeout(() => {
  console.error(`not done after ${fileMs} ms`);
  process.exit(1);
}, fileMs).unref();

export function open() {
  const opened = {page: null, watched: null, failed: false};
  let browser;
  before(async () => {
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    });
    const context = await browser.newContext({
      viewport: {width: 1280, height: 844},
      colorScheme: 'light',
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    opened.page = await context.newPage();
    opened.page.setDefaultTimeout(patience);
    opened.watched = await watch(opened.page, ui);
  });
  after(async () => {
    await browser?.close();
  });
  opened.step = (what, run) =>
    test(what, async t => {
      if (opened.failed) return t.skip('an earlier step failed');
      try {
        await run(opened.page, t);
      } catch (error) {
        opened.failed = true;
        const text = await opened.page.innerText('body').catch(() => '');
        t.diagnostic(`at ${opened.page.url()}: ${text.replace(/\s+/g, ' ').slice(0, 1500)}`);
        throw error;
      }
    });
  opened.copied = () => opened.page.evaluate(() => navigator.clipboard.readText());
  return opened;
}
