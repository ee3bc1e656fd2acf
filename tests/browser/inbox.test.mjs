// SPDX-License-Identifier: Apache-2.0
//
// The way of somebody who is on call, in a real browser against the real binary: an error comes in, is opened, leads to
// its request, and is resolved. CULPRIT_UI and CULPRIT_HTTP say where culprit listens; tests/browser/run starts one.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {chromium} from 'playwright-core';
import {assertAccessible, watch} from './checks.mjs';
import {sendFailingRequest} from './otlp.mjs';
import {http, patience, ui} from './page.mjs';

// A name of its own, so that the test may run on an instance that already has errors.
const name = 'BadCart' + Date.now().toString(36) + 'Error';
const hostile = '<img src=x onerror="document.title=\'hacked\'"> \u202egnp.exe \u001b[31m';

let browser;
let page;
let watched;
let sent;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  page = await browser.newPage({
    viewport: {width: 1280, height: 844},
    colorScheme: 'light',
  });
  page.setDefaultTimeout(patience);
  watched = await watch(page, ui);
});

after(async () => {
  await browser?.close();
});

// Each step goes on where the one before it ended: after a failure there is nothing to go on from.
let failed = false;
function step(what, run) {
  test(what, async t => {
    if (failed) return t.skip('an earlier step failed');
    try {
      await run();
    } catch (error) {
      failed = true;
      const text = await page.innerText('body').catch(() => '');
      t.diagnostic(`at ${page.url()}: ${text.replace(/\s+/g, ' ').slice(0, 1500)}`);
      throw error;
    }
  });
}

const row = () => page.locator('tr.issue', {hasText: name});

step('pages come under a policy that allows nothing inline and no other host', async () => {
  for (const path of ['/', '/issues/17', '/requests/x', '/status']) {
    const response = await fetch(ui + path);
    assert.equal(response.status, 200);
    const policy = response.headers.get('content-security-policy');
    assert.deepEqual(policy.split('; '), [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
    ]);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(response.headers.get('cache-control'), 'no-cache');
    assert.doesNotMatch(await response.text(), /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?:/);
  }
});

step('an error appears in the open inbox by itself', async () => {
  await page.goto(ui + '/');
  await page.getByRole('heading', {level: 1}).waitFor({state: 'attached'});
  await page.locator('.issues, .empty').first().waitFor();
  await assertAccessible(page, 'inbox before the error');
  sent = await sendFailingRequest(http, {type: name, message: hostile});
  await row().waitFor();
  assert.match(await row().innerText(), /checkout/);
  assert.match(await row().innerText(), /⟨202E⟩gnp\.exe ⟨001B⟩\[31m/, 'control and bidi characters are shown');
  assert.equal(await page.locator('img').count(), 0, 'markup in telemetry stays text');
  await assertAccessible(page, 'inbox');
});

step('the row in focus is framed as a whole, and on a phone a row says since when', async () => {
  await page.keyboard.press('j');
  await page.locator('tr.issue:focus-within').waitFor();
  const layers = await page
    .locator('tr.issue:focus-within td')
    .evaluateAll(cells => cells.filter(cell => getComputedStyle(cell).position !== 'static').length);
  assert.equal(layers, 0, 'a cell of its own layer would cover the frame of its row');
  const before = page.viewportSize();
  await page.setViewportSize({width: 390, height: 844});
  const [last, first] = await row().locator('td.when').allInnerTexts();
  assert.match(last, /^last .* ago$/);
  assert.match(first, /^first .* ago$/);
  await page.setViewportSize(before);
});

step('filters narrow the list and are in the address', async () => {
  await page.keyboard.press('f');
  await page.keyboard.type('no such error anywhere');
  await page.getByText('No error matches').waitFor();
  assert.match(page.url(), /query=no\+such/);
  await page.getByRole('button', {name: 'Clear the filter'}).click();
  await row().waitFor();
  await page.getByLabel('Filter by service').selectOption('checkout');
  await row().waitFor();
  assert.match(page.url(), /service=checkout/);
  await page.reload();
  await row().waitFor();
  assert.equal(await page.getByLabel('Filter by service').inputValue(), 'checkout');
});

step('the issue shows its stack trace, the application first', async () => {
  await row().getByRole('link').click();
  await page.getByRole('heading', {level: 1, name}).waitFor();
  const frame = page.locator('.frame.in-app').first();
  await frame.waitFor();
  assert.match(await frame.innerText(), /total/);
  assert.match(await frame.innerText(), /cart\.py:88/);
  await page.keyboard.press('w');
  await page.locator('.stack pre.raw', {hasText: /cart\.py\W+(line )?88/}).waitFor();
  await page.keyboard.press('w');
  await page.getByRole('heading', {name: 'Why is this here'}).waitFor();
  await assertAccessible(page, 'issue');
});

step('it leads to its request and the waterfall across services', async () => {
  await page.getByRole('link', {name: /Whole request/}).click();
  await page.waitForURL(url => [sent.requestId, sent.traceId].some(id => url.pathname === '/requests/' + id));
  const tree = page.getByRole('tree');
  for (const each of [
    /POST \/checkout, frontend/,
    /checkout cart, checkout, .*failed/,
    /SELECT stock, checkout/,
    /Log WARN: stock is low/,
    new RegExp('Error: ' + name),
  ]) {
    // Not only there, but where a pointer hits it.
    await tree.getByRole('treeitem', {name: each}).locator('.name').click({trial: true});
  }
  const levels = await tree
    .getByRole('treeitem', {name: /POST \/checkout|checkout cart|SELECT/})
    .evaluateAll(rows => rows.map(each => each.ariaLevel));
  assert.deepEqual(levels, ['1', '2', '3']);
  // A bar begins where its span does: the query 30 ms after the request of 400 ms.
  const bar = tree.getByRole('treeitem', {name: /SELECT stock/}).locator('rect.length');
  assert.equal(Math.round(parseFloat(await bar.getAttribute('x')) * 4), 30);
  assert.equal(Math.round(parseFloat(await bar.getAttribute('width')) * 4), 60);
  await tree.getByRole('treeitem', {name: /SELECT stock/}).click();
  await page
    .getByRole('complementary', {name: /Details/})
    .getByText('postgresql')
    .waitFor();
  await page.locator('.verdict-keep', {hasText: 'Kept'}).waitFor();
  await page.locator('dd', {hasText: sent.requestId}).first().waitFor();
  await page.locator('dd', {hasText: sent.traceId}).first().waitFor();
  await page.keyboard.press('Escape');
  await assertAccessible(page, 'request');
});

step('going back leads to the issue and to the list as it was filtered', async () => {
  await page.goBack();
  await page.getByRole('heading', {level: 1, name}).waitFor();
  await page.goBack();
  await row().waitFor();
  assert.match(page.url(), /service=checkout/);
});

step('the search box finds a request by either of its ids', async () => {
  for (const id of [sent.requestId, sent.traceId]) {
    await page.keyboard.press('/');
    await page.keyboard.type(id);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/requests/' + id);
    await page.getByRole('treeitem', {name: /SELECT stock/}).waitFor();
  }
  await page.goto(ui + '/requests/nothing-has-this-id');
  await page.getByText('Nothing is known under this id').waitFor();
  watched.expect(/status of 404/); // the browser says what the page is about
});

step('resolved from the list by a key, it is gone from there and under Resolved', async () => {
  await page.goto(ui + '/');
  await row().waitFor();
  const isThere = () => row().evaluate(each => each.contains(document.activeElement));
  for (let i = 0; i < 300 && !(await isThere()); i++) await page.keyboard.press('j');
  assert.ok(await isThere(), 'j never came to the row');
  await page.keyboard.press('e');
  await row().waitFor({state: 'detached'});
  await page.reload();
  await page.locator('.issues, .empty').first().waitFor();
  assert.equal(await row().count(), 0);
  await page.getByRole('button', {name: 'Resolved', exact: true}).click();
  await row().waitFor();
  assert.match(page.url(), /status=resolved/);
  assert.match(await row().innerText(), /resolved/);
});

step('when it happens again it is back, marked as regressed', async () => {
  await page.getByRole('button', {name: 'Unresolved', exact: true}).click();
  await page.locator('.issues, .empty').first().waitFor();
  await sendFailingRequest(http, {type: name, message: hostile});
  await row().waitFor();
  assert.match(await row().innerText(), /regressed/);
});

step('the status page counts what was sent', async () => {
  await page.keyboard.press('g');
  await page.keyboard.press('s');
  await page.getByRole('heading', {level: 1, name: /culprit/}).waitFor();
  await page.getByText('ready', {exact: true}).waitFor();
  const spans = page
    .getByRole('row', {name: /^Spans/})
    .getByRole('cell')
    .first();
  assert.ok(Number((await spans.innerText()).replace(/\D/g, '')) >= 6);
  await assertAccessible(page, 'status');
});

test('the browser had nothing to complain about', () => watched.assertQuiet());
