// SPDX-License-Identifier: Apache-2.0
//
// What people said: it comes by itself, is read with the keyboard, leads to the error it is about, and is paged without
// losing any while new words come.
import assert from 'node:assert/strict';
import {assertAccessible} from './checks.mjs';
import {event, sendEvent, sendFeedback} from './envelope.mjs';
import {open, patience, ui} from './page.mjs';

const opened = open();
const {step} = opened;
const stamp = Date.now().toString(36);
const slug = 'said-' + stamp;
const hostile = '<img src=x onerror="document.title=\'hacked\'"> it is \u202eslow';
const pageSize = 50;
let dsn;

const cards = page => page.locator('.said');

step('a project of which nobody has said anything', async page => {
  const made = await fetch(ui + '/api/v1/projects', {
    method: 'POST',
    headers: {'content-type': 'application/json'},
    body: JSON.stringify({slug}),
  });
  dsn = (await made.json()).dsn;
  await page.goto(`${ui}/projects/${slug}`);
  await page.getByRole('link', {name: 'its feedback'}).click();
  await page.waitForURL(`**/feedback?project=${slug}`);
  await page.getByRole('heading', {level: 1, name: 'Feedback'}).waitFor();
  await page.getByText('Nobody has said anything here yet').waitFor();
  await assertAccessible(page, 'no feedback');
});

step('words of no error appear in the open page, with their picture', async page => {
  await sendFeedback(dsn, {message: hostile, email: 'joe@people.test', withPicture: true});
  const card = cards(page).filter({hasText: 'slow'});
  await card.waitFor();
  assert.match(await card.innerText(), /it is ⟨202E⟩slow/);
  assert.equal(await card.getByRole('link', {name: 'answer'}).getAttribute('href'), 'mailto:joe@people.test');
  const picture = card.getByRole('img', {name: 'screenshot.png'});
  await picture.waitFor();
  assert.equal(await picture.evaluate(image => image.decode().then(() => image.naturalWidth)), 1);
  assert.equal(await card.getByText('about').count(), 0);
  await assertAccessible(page, 'feedback');
});

step('words about an error lead to it, by the keyboard too', async page => {
  const about = event({type: `Slow${stamp}`, message: 'it took long'});
  await sendEvent(dsn, about);
  await sendFeedback(dsn, {message: 'I waited for a minute', email: 'not an address', about: about.event_id});
  const card = cards(page).filter({hasText: 'I waited'});
  await card.getByRole('link', {name: `Slow${stamp}: it took long`}).waitFor();
  assert.equal(await card.getByRole('link', {name: 'answer'}).count(), 0);
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  assert.match(await page.locator(':focus').innerText(), /slow/);
  await page.keyboard.press('k');
  assert.match(await page.locator(':focus').innerText(), /I waited/);
  await page.keyboard.press('o');
  await page.getByRole('heading', {level: 1, name: `Slow${stamp}`}).waitFor();
  await page.getByRole('heading', {name: 'What the user said'}).waitFor();
});

step('all of it is one key away, and narrowed to a project', async page => {
  await page.keyboard.press('g');
  await page.keyboard.press('f');
  await page.waitForURL(ui + '/feedback');
  assert.equal(await page.getByRole('link', {name: 'Feedback', exact: true}).getAttribute('aria-current'), 'page');
  await cards(page).filter({hasText: 'I waited'}).getByText(slug, {exact: false}).first().waitFor();
  await page.getByLabel('Feedback of project').selectOption(slug);
  await page.waitForURL(`**/feedback?project=${slug}`);
  await page.getByText(`That is all of ${slug}`).waitFor();
  assert.equal(await cards(page).count(), 2);
});

step('older words are behind a button, and none is lost when new ones come', async page => {
  for (let i = 1; i <= pageSize; i++) await sendFeedback(dsn, {message: `word ${i}.`});
  await page.reload();
  await page.getByText(`There is more of ${slug}`).waitFor();
  assert.equal(await cards(page).count(), pageSize);
  await page.getByRole('button', {name: 'Older ones'}).click();
  await page.getByText(`That is all of ${slug}`).waitFor();
  assert.equal(await cards(page).count(), pageSize + 2);
  for (let i = 1; i <= 3; i++) await sendFeedback(dsn, {message: `late ${i}.`});
  await cards(page).filter({hasText: 'late 3.'}).waitFor();
  await page.waitForFunction(count => document.querySelectorAll('.said').length === count, pageSize + 5, {
    timeout: patience,
  });
  const words = await page.locator('.said blockquote').allInnerTexts();
  assert.equal(words[0], 'late 3.');
  for (let i = 1; i <= pageSize; i++) assert.ok(words.includes(`word ${i}.`), `word ${i} is there`);
});

step('a project that is not there', async page => {
  await page.goto(ui + '/feedback?project=nobody');
  await page.getByText('there is no project "nobody"').waitFor();
  opened.watched.expect(/status of 400/);
  await page.getByLabel('Feedback of project').selectOption('All projects');
  await page.waitForURL(ui + '/feedback');
  await cards(page).first().waitFor();
});

step('the browser had nothing to complain about', async () => opened.watched.assertQuiet());
