// SPDX-License-Identifier: Apache-2.0
//
// Projects: made, given a second key, the first one taken out of use, limited and scrubbed, all from the pages.
import assert from 'node:assert/strict';
import {assertAccessible} from './checks.mjs';
import {event, sendEnvelope} from './envelope.mjs';
import {open, ui} from './page.mjs';

const opened = open();
const {step, copied} = opened;
const slug = 'shop-' + Date.now().toString(36);
let first;
let second;

const sent = async dsn =>
  (await sendEnvelope(dsn, [{type: 'event', payload: event({type: 'E', message: slug})}])).status;
const project = async () => (await fetch(`${ui}/api/v1/projects/${slug}`)).json();

step('the list has the default project and its DSN', async page => {
  await page.goto(ui + '/');
  await page.getByRole('heading', {level: 1}).waitFor({state: 'attached'});
  await page.keyboard.press('g');
  await page.keyboard.press('p');
  await page.getByRole('heading', {level: 1, name: 'Projects'}).waitFor();
  await page.getByRole('button', {name: 'Copy DSN of default'}).click();
  assert.match(await copied(), /^http:\/\/[0-9a-f]{32}@127\.0\.0\.1:\d+\/1$/);
  await assertAccessible(page, 'projects');
});

step('a name that cannot be one is refused with words', async page => {
  await page.getByLabel('Name').fill('Not A Name');
  await page.getByRole('button', {name: 'Create'}).click();
  await page.getByRole('alert').waitFor();
  assert.equal(await page.getByLabel('Name').getAttribute('aria-invalid'), 'true');
  opened.watched.expect(/status of 400/);
});

step('a project is made, and its DSN takes events', async page => {
  await page.getByLabel('Name').fill(slug);
  await page.keyboard.press('Enter');
  await page.waitForURL(`**/projects/${slug}`);
  await page.getByRole('button', {name: 'Copy SENTRY_DSN'}).click();
  first = (await copied()).replace('export SENTRY_DSN=', '');
  assert.equal(await sent(first), 200);
  await assertAccessible(page, 'project');
});

step('a new key, and the old one deactivated', async page => {
  await page.getByRole('button', {name: 'New key'}).click();
  await page.locator('.keys li').nth(1).waitFor();
  second = (await project()).keys.find(key => key.dsn !== first).dsn;
  assert.equal(await sent(second), 200);
  const old = page.locator('.keys li', {hasText: first});
  await old.getByRole('button', {name: /Deactivate/}).click();
  await old.getByText('deactivated').waitFor();
  assert.equal(await sent(first), 403);
  assert.equal(await sent(second), 200);
  await page.getByRole('button', {name: /Undo/}).click();
  await old.getByText('deactivated').waitFor({state: 'detached'});
  assert.equal(await sent(first), 200);
  await old.getByRole('button', {name: /Deactivate/}).click();
  await old.getByRole('button', {name: /^Delete/}).click();
  await old.getByRole('button', {name: /Really delete/}).click();
  await old.waitFor({state: 'detached'});
  assert.equal((await project()).keys.length, 1);
});

step('settings are saved, a bad one is marked where it is', async page => {
  const limit = page.getByLabel('Events a minute');
  await limit.fill('many');
  await page.getByRole('button', {name: 'Save'}).click();
  await page
    .getByRole('alert')
    .getByText(/number/)
    .waitFor();
  assert.equal(await limit.getAttribute('aria-invalid'), 'true');
  opened.watched.expect(/status of 400/);
  await limit.fill('600');
  await page.getByRole('combobox', {name: 'IP addresses'}).selectOption('On');
  const keys = page.locator('.field', {hasText: 'Also scrub these keys'});
  await keys.getByRole('checkbox').uncheck();
  await keys.getByRole('textbox').fill('iban_of_friend\n\n  customer_note \n');
  await page.getByRole('button', {name: 'Save'}).click();
  await page.getByText(`Saved the settings of ${slug}`).waitFor();
  const {settings} = await project();
  assert.equal(settings.events_per_minute, 600);
  assert.equal(settings.scrub.ip_addresses, true);
  assert.equal(settings.scrub.enabled, null);
  assert.deepEqual(settings.scrub.sensitive_keys, ['iban_of_friend', 'customer_note']);
  assert.equal(settings.scrub.safe_keys, null);
  await page.reload();
  assert.equal(await limit.inputValue(), '600');
  assert.equal(await page.getByRole('button', {name: 'Save'}).isDisabled(), true);
  await assertAccessible(page, 'project with settings');
});

step('a bad rule is marked at its line, good ones are kept', async page => {
  const editor = page.getByLabel('Fingerprint rules');
  await editor.fill('error.type:TimeoutError -> timeouts\nthis is no rule\n');
  await page.getByRole('button', {name: 'Save'}).click();
  await page
    .getByRole('alert')
    .getByText(/^Line 2, column \d+: /i)
    .waitFor();
  assert.equal(await page.locator('.gutter .refused').innerText(), '2');
  assert.equal(await editor.getAttribute('aria-invalid'), 'true');
  const caret = await editor.evaluate(area => area === document.activeElement && area.selectionStart);
  assert.ok(caret >= 36 && caret <= 51, `the caret is in line 2, at ${caret}`);
  await assertAccessible(page, 'project with a refused rule');
  opened.watched.expect(/status of 400/);
  await editor.fill('error.type:TimeoutError -> timeouts\n');
  await page.getByLabel('Stack-trace rules').fill('stack.module:vendor.* -app\n');
  await page.getByRole('button', {name: 'Save'}).click();
  await page.getByText(`Saved the settings of ${slug}`).waitFor();
  const {settings} = await project();
  assert.equal(settings.fingerprint_rules, 'error.type:TimeoutError -> timeouts\n');
  assert.equal(settings.enhancements, 'stack.module:vendor.* -app\n');
  assert.equal(settings.events_per_minute, 600, 'what was saved before stays');
});

step('a project that is not there', async page => {
  await page.goto(ui + '/projects/nobody');
  await page.getByRole('heading', {name: 'There is no such project'}).waitFor();
  opened.watched.expect(/status of 404/);
});

step('the inbox is narrowed to a project, in its address', async page => {
  const rows = page.locator('tr.issue');
  const choice = page.getByLabel('Filter by project');
  await page.goto(ui + '/projects/' + slug);
  await page.getByRole('link', {name: 'Its errors'}).click();
  await page.waitForURL(`**/?project=${slug}`);
  await rows.first().waitFor();
  const ids = await page.locator('.short-id').allInnerTexts();
  assert.ok(
    ids.every(id => id.startsWith(slug.toUpperCase() + '-')),
    ids.join(),
  );
  await page.reload();
  await rows.first().waitFor();
  assert.equal(await choice.inputValue(), slug);
  await assertAccessible(page, 'inbox of a project');
  await rows.first().getByRole('link').click();
  await page.locator('.issue-head .sub').getByRole('link', {name: slug}).waitFor();
  await page.goBack();
  await choice.selectOption('All projects');
  await page.waitForURL(ui + '/');
});

step('a project that is gone is said, and the way back', async page => {
  await page.goto(ui + '/?project=nobody');
  await page.getByText('there is no project "nobody"').waitFor();
  opened.watched.expect(/status of 400/);
  await page.getByRole('button', {name: 'Clear the filter'}).click();
  await page.waitForURL(ui + '/');
  await page.locator('.issues, .empty').first().waitFor();
});

step('the browser had nothing to complain about', async () => opened.watched.assertQuiet());
