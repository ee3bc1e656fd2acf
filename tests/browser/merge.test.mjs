// SPDX-License-Identifier: Apache-2.0
//
// Two errors that are one to a person: chosen in the list, merged, and split again on the page of what they became.
import assert from 'node:assert/strict';
import {assertAccessible} from './checks.mjs';
import {sendFailingRequest} from './otlp.mjs';
import {http, open, ui} from './page.mjs';

const opened = open();
const {step} = opened;
const stamp = Date.now().toString(36);
const first = `First${stamp}Error`;
const second = `Second${stamp}Error`;
const address = `${ui}/?query=${stamp}`;

const row = (page, name) => page.locator('tr.issue', {hasText: name});

step('several are chosen with keys and by hand', async page => {
  await sendFailingRequest(http, {type: first, message: 'of the first kind'});
  await page.goto(address);
  await row(page, first).waitFor();
  await sendFailingRequest(http, {
    type: second,
    message: 'of the second kind',
  });
  await row(page, second).waitFor();
  await row(page, first).locator('a.title').focus();
  await page.keyboard.press('x');
  const bar = page.getByRole('group', {name: 'Chosen errors'});
  await bar.getByText('1 error chosen').waitFor();
  assert.ok(await bar.getByRole('button', {name: 'Merge'}).isDisabled());
  await row(page, second).getByRole('checkbox').check();
  await bar.getByText('2 errors chosen').waitFor();
  await assertAccessible(page, 'the list with errors chosen');
});

step('merging asks first, and names what everything goes into', async page => {
  await page.keyboard.press('m');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Merge 2 errors into one').waitFor();
  await dialog.getByRole('button', {name: 'Cancel'}).click();
  await dialog.waitFor({state: 'detached'});
  assert.equal(await row(page, stamp).count(), 2);
  await page.getByRole('button', {name: 'Merge'}).click();
  await dialog.getByRole('radio', {name: first}).check();
  await dialog.getByRole('button', {name: /^Merge into /}).click();
  await page.getByText('1 error merged into').waitFor();
  await page.waitForFunction(() => document.querySelectorAll('tr.issue').length === 1);
  assert.match(await row(page, stamp).locator('td.number').innerText(), /^2\b/);
  await page.getByRole('group', {name: 'Chosen errors'}).waitFor({state: 'detached'});
});

let merged;

step('new events of both go there, and the old address leads there', async page => {
  const issues = async () => (await (await fetch(`${ui}/api/v1/issues?query=${stamp}`)).json()).issues;
  [merged] = await issues();
  await sendFailingRequest(http, {
    type: second,
    message: 'of the second kind',
  });
  await page.waitForFunction(() => document.querySelector('tr.issue td.number')?.textContent.startsWith('3'));
  assert.equal((await issues()).length, 1);
  const {merged: gone} = await (await fetch(`${ui}/api/v1/issues/${merged.id}`)).json();
  await page.goto(`${ui}/issues/${gone[0].id}`);
  await page.waitForURL(`${ui}/issues/${merged.id}`);
  await page.goto(`${ui}/issues/${gone[0].short_id}`);
  await page.waitForURL(`${ui}/issues/${merged.id}`);
  await page.keyboard.press('/');
  await page.keyboard.type(gone[0].short_id);
  await page.keyboard.press('Enter');
  await page.getByText('It is the id of an error').getByRole('link', {name: second}).click();
  await page.waitForURL(`${ui}/issues/${merged.id}`);
  opened.watched.expect(/status of 404/); // no request has that id
});

step('the page says why the event is there', async page => {
  const part = page.locator('section.grouping');
  await part.getByRole('heading', {name: 'Why is this here'}).waitFor();
  await part
    .getByText(/^Grouped by .*frames?.* and type\./)
    .first()
    .waitFor();
  await part.locator('.components li', {hasText: 'total in '}).first().waitFor();
  assert.equal(await part.locator(':scope > details[open]').count(), 1, 'one variant is enough to see why');
  await assertAccessible(page, 'a merged error');
});

step('what came with the other is split off again, for good', async page => {
  const grouping = page.locator('section.hash-list');
  await grouping.getByText(second).first().waitFor();
  await grouping.getByRole('button', {name: /^Unmerge /}).click();
  const confirm = grouping.getByRole('group', {name: /^Unmerge /});
  await confirm.getByRole('button', {name: 'Cancel'}).click();
  await grouping.getByRole('button', {name: /^Unmerge /}).click();
  await confirm.getByRole('button', {name: /^Unmerge /}).click();
  await page.getByText('2 events moved from').waitFor();
  await page.getByRole('heading', {level: 1, name: second}).waitFor();
  assert.notEqual(page.url(), `${ui}/issues/${merged.id}`);
  await page.getByText(/^Split from/).waitFor();
  await sendFailingRequest(http, {
    type: second,
    message: 'of the second kind',
  });
  await page.goto(address);
  await page.waitForFunction(
    name =>
      [...document.querySelectorAll('tr.issue')].some(
        each => each.textContent.includes(name) && each.querySelector('td.number').textContent.startsWith('3'),
      ),
    second,
  );
  assert.match(await row(page, first).locator('td.number').innerText(), /^1\b/);
  opened.watched.assertQuiet();
});
