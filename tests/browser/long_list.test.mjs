// SPDX-License-Identifier: Apache-2.0
//
// More issues than one page of the API holds: all of them can be shown, and those at the end are renewed too.
import assert from 'node:assert/strict';
import {event, sendEnvelope} from './envelope.mjs';
import {open, patience, ui} from './page.mjs';

const opened = open();
const {step} = opened;
const stamp = 'Many' + Date.now().toString(36);
const count = 230;
const list = async () => {
  const found = [];
  let cursor = '';
  do {
    const answer = await (await fetch(`${ui}/api/v1/issues?query=${stamp}&limit=200${cursor}`)).json();
    found.push(...answer.issues);
    cursor = answer.next ? '&cursor=' + encodeURIComponent(answer.next) : '';
  } while (cursor);
  return found;
};

step('all of a long list can be shown', async page => {
  const {dsn} = (await (await fetch(ui + '/api/v1/projects')).json()).projects[0];
  for (let i = 0; i < count; i++) {
    const of = event({type: `${stamp}Error${i}`, message: stamp});
    assert.equal((await sendEnvelope(dsn, [{type: 'event', payload: of}])).status, 200);
  }
  const deadline = Date.now() + 2 * patience;
  while ((await list()).length < count) {
    assert.ok(Date.now() < deadline, `not all of them after ${2 * patience} ms`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  await page.goto(`${ui}/?query=${stamp}`);
  await page.locator('tr.issue').first().waitFor();
  for (let shown = 50; shown < count; shown += 50) {
    await page.getByRole('button', {name: 'Show more'}).click();
    await page
      .locator('tr.issue')
      .nth(Math.min(shown + 50, count) - 1)
      .waitFor();
  }
  await page.getByText(`${count} errors`, {exact: false}).waitFor();
  assert.equal(await page.getByRole('button', {name: 'Show more'}).count(), 0);
});

step('a change beyond the first page shows by itself', async page => {
  const last = (await list()).at(-1);
  const row = page.locator(`tr.issue[data-issue="${last.id}"]`);
  await row.waitFor();
  const answer = await fetch(`${ui}/api/v1/issues/${last.id}`, {
    method: 'PATCH',
    headers: {'content-type': 'application/json'},
    body: '{"status":"resolved"}',
  });
  assert.equal(answer.status, 200);
  await row.waitFor({state: 'detached', timeout: 2 * patience});
  assert.equal(await page.locator('tr.issue').count(), count - 1);
});

step('columns sort the list', async page => {
  await page.getByRole('button', {name: 'First seen'}).click();
  await page.waitForURL(/sort=first_seen/);
  await page.getByRole('columnheader', {name: 'First seen'}).waitFor();
  assert.match(await page.locator('th[aria-sort="descending"]').innerText(), /^First seen\s+↓/);
});

step('the browser had nothing to complain about', async () => opened.watched.assertQuiet());
