// SPDX-License-Identifier: Apache-2.0
//
// An event of a Sentry SDK on its page: whom it hit and since when at a glance, every part of it readable, what was
// scrubbed marked, what came beside it there.
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {assertAccessible} from './checks.mjs';
import {event, sendEnvelope, sendEvent} from './envelope.mjs';
import {sendFailingRequest} from './otlp.mjs';
import {http, open, patience, ui} from './page.mjs';

const opened = open();
const {step, copied} = opened;
const stamp = Date.now().toString(36);
const type = `PaymentDeclined${stamp}`;
const message = 'payment of 19.99 EUR was declined';
const said = 'I pressed pay three times.\nThen the page went white.';
let dsn;
let newest;

async function issueOf(text) {
  const deadline = Date.now() + patience;
  for (;;) {
    const {issues} = await (await fetch(`${ui}/api/v1/issues?status=all&query=${encodeURIComponent(text)}`)).json();
    if (issues.length > 0) return issues[0];
    assert.ok(Date.now() < deadline, `no issue ${text} after ${patience} ms`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

// The value beside a name in any of the lists of names and values below `root`.
const exactly = text => new RegExp('^' + text.replace(/[.()?+*]/g, '\\$&') + '$');
const beside = (root, name) =>
  root
    .locator('div', {
      has: root
        .page()
        .locator(':scope > dt')
        .filter({hasText: exactly(name)}),
    })
    .locator('dd')
    .first();

step('events of three users are one issue', async page => {
  dsn = (await (await fetch(ui + '/api/v1/projects')).json()).projects[0].dsn;
  for (const user of ['u-1', 'u-2', 'u-3']) {
    newest = event({
      type,
      message,
      user,
      release: user === 'u-3' ? 'shop@1.4.3' : 'shop@1.4.2',
    });
    await sendEvent(dsn, newest, user === 'u-3' ? {attachments: true, feedback: said} : {});
  }
  const {id} = await issueOf(type);
  const deadline = Date.now() + patience;
  const get = async path => (await fetch(`${ui}/api/v1/issues/${id}${path}`)).json();
  while ((await get('')).count < 3 || (await get('/feedback')).feedback.length < 1) {
    assert.ok(Date.now() < deadline, `not all of it after ${patience} ms`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  await page.goto(`${ui}/issues/${id}?event=${newest.event_id}`);
  await page.getByRole('heading', {level: 1, name: type}).waitFor();
});

step('for whom, since when and where is in the head', async page => {
  const about = page.locator('.about');
  assert.equal(await beside(about, 'Events').innerText(), '3');
  assert.equal(await beside(about, 'Users').innerText(), '3');
  assert.match(await beside(about, 'First seen').innerText(), /ago|now[\s\S]*\d{4}-\d\d-\d\d \d\d:\d\d/);
  assert.match(
    await beside(about, 'Releases (2)').innerText(),
    /shop@1\.4\.2[\s\S]*shop@1\.4\.3|shop@1\.4\.3[\s\S]*shop@1\.4\.2/,
  );
  await page.getByRole('img', {name: /^24 hours: 3 events/}).waitFor();
  await page.getByRole('img', {name: /^14 days: 3 events/}).waitFor();
  const highlights = page.locator('.highlights');
  assert.match(await beside(highlights, 'User').innerText(), /u-3/);
  assert.equal(await beside(highlights, 'Request').innerText(), 'POST https://shop.example/cart/checkout');
  assert.equal(await beside(highlights, 'Runtime').innerText(), 'CPython 3.12.1');
  const tags = page.getByRole('complementary', {name: 'About this error'});
  await tags.getByRole('heading', {name: 'provider 2 values'}).waitFor();
  assert.match(
    await tags
      .locator('li', {hasText: /^adyen/})
      .last()
      .innerText(),
    /67 %/,
  );
});

step('frames: those of the application, all, or the text', async page => {
  const stack = page.locator('.stack');
  assert.equal(await stack.getByRole('button', {name: /Most relevant/}).getAttribute('aria-pressed'), 'true');
  const top = stack.locator('.frame.in-app').first();
  assert.match(await top.locator('.frame-head').innerText(), /pay in shop\.cart\s+shop\/cart\.py:19/);
  assert.deepEqual(await top.locator('.line-number').allInnerTexts(), ['17', '18', '19', '20', '21']);
  assert.match(await top.locator('.source .current').innerText(), /raise_in_pay\(\)/);
  assert.equal(await beside(top, 'total').innerText(), '19.99');
  await stack.getByText('2 library frames').waitFor();
  await stack.getByRole('heading', {name: 'caused by ConnectionError'}).waitFor();
  await page.keyboard.press('a');
  assert.equal(await stack.getByRole('button', {name: /Full/}).getAttribute('aria-pressed'), 'true');
  await stack.locator('.frame', {hasText: 'starlette/routing.py:60'}).waitFor();
  assert.equal(await stack.getByText('2 library frames').count(), 0);
  await page.keyboard.press('w');
  await stack.locator('pre.raw', {hasText: `${type}: ${message}`}).waitFor();
  await page.keyboard.press('r');
  await stack.getByText('2 library frames').waitFor();
  // Local variables fold.
  await top.getByText('Local variables').click();
  await beside(top, 'total').waitFor({state: 'hidden'});
  await top.getByText('Local variables').click();
});

step('what scrubbing took out is marked, and says by what', async page => {
  const marks = page.locator('.scrubbed');
  assert.equal(
    await beside(page.locator('.frame.in-app').first(), 'password').locator('.scrubbed').innerText(),
    '[Filtered]',
  );
  const request = page.locator('.section', {
    has: page.getByRole('heading', {name: 'HTTP request'}),
  });
  assert.match(await beside(request, 'Query').innerText(), /page=2&token=\[Filtered\]/);
  assert.equal(await beside(request, 'Query').locator('.scrubbed').innerText(), '[Filtered]');
  assert.equal(await beside(request, 'authorization').locator('.scrubbed').getAttribute('title'), 'Scrubbed: password');
  assert.equal(await beside(request, 'user-agent').innerText(), 'Firefox');
  assert.equal(await beside(request, 'user-agent').locator('.scrubbed').count(), 0);
  assert.ok((await marks.count()) >= 4);
  assert.doesNotMatch(await page.innerText('main'), /hunter2|tok_123456|abcdef/);
});

step('breadcrumbs, contexts, extra and user are there to be read', async page => {
  const crumbs = page.locator('.breadcrumbs li');
  assert.match(await crumbs.nth(0).innerText(), /−2\.\d+ s\s+ui\.click\s+button#pay/);
  assert.match(await crumbs.nth(1).innerText(), /http\s*warning[\s\S]*status_code\s+503/);
  await page
    .locator('.card', {
      has: page.getByRole('heading', {name: 'cart', exact: true}),
    })
    .getByText('EUR')
    .waitFor();
  await page.getByText('new_checkout').waitFor();
  assert.match(
    await page
      .locator('.section', {
        has: page.getByRole('heading', {name: 'User'}),
      })
      .innerText(),
    /u-3/,
  );
});

step('what the user said and the files that came with it', async page => {
  const words = page.locator('.said').first();
  assert.match(await words.innerText(), /Kim Doe[\s\S]*I pressed pay three times\.\nThen the page went white\./);
  assert.equal(await words.getByRole('link', {name: 'answer'}).getAttribute('href'), 'mailto:kim@example.test');
  const picture = page.getByRole('img', {name: 'screen.png'});
  await picture.scrollIntoViewIfNeeded();
  await page.waitForFunction(image => image.complete && image.naturalWidth === 1, await picture.elementHandle());
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', {name: 'worker.log'}).click(),
  ]);
  assert.equal(download.suggestedFilename(), 'worker.log');
  assert.equal(await readFile(await download.path(), 'utf8'), 'line one\npassword=[Filtered]\n');
  await page.getByText('Secrets were taken out of it').waitFor();
  await assertAccessible(page, 'event of an SDK');
});

step('an older event of the issue shows what the user said of the other', async page => {
  await page.keyboard.press('j');
  await page.waitForURL(url => url.searchParams.get('event') !== newest.event_id);
  await page.getByRole('heading', {name: 'What users said of this error'}).waitFor();
  await page.locator('.highlights', {hasText: 'u-2@example.test'}).waitFor();
  assert.equal(await page.getByRole('link', {name: 'screen.png'}).count(), 0);
  await page.keyboard.press('k');
  await page.waitForURL(url => url.searchParams.get('event') === newest.event_id);
});

step('the event is copied as Markdown', async page => {
  await page.getByRole('button', {name: 'Copy as Markdown'}).click();
  await page.getByRole('button', {name: 'Copied'}).waitFor();
  const text = await copied();
  assert.match(text, new RegExp(`^# ${type}: ${message}`));
  assert.match(text, /> shop\.cart\.pay {2}\(shop\/cart\.py:19\)/);
  assert.match(text, /\[Filtered\]/);
  assert.doesNotMatch(text, /hunter2/);
});

step('around an error of a request stand the way to it and the logs before it', async page => {
  const failing = `BadStock${stamp}Error`;
  await sendFailingRequest(http, {type: failing, message: 'no stock'});
  const {id} = await issueOf(failing);
  await page.goto(`${ui}/issues/${id}`);
  const around = page.locator('.around');
  const chain = around.getByRole('list', {name: /Calls that led to the error/}).getByRole('listitem');
  await chain.first().waitFor();
  assert.match(await chain.nth(0).innerText(), /POST \/checkout\s+frontend 400 ms/);
  assert.match(await chain.nth(1).innerText(), /checkout cart\s+checkout 360 ms/);
  assert.match(await around.locator('.before li').innerText(), /−310 ms\s+WARN\s+checkout\s+stock is low/i);
  await assertAccessible(page, 'issue with its request');
  await page.keyboard.press('o');
  await page.locator('.request-errors', {hasText: failing}).getByRole('link', {name: 'Show its span'}).click();
  await page
    .getByRole('complementary', {name: /Details/})
    .getByText('checkout cart')
    .waitFor();
});

step('the status page says what SDKs threw away', async page => {
  const report = {
    timestamp: Date.now() / 1000,
    discarded_events: [{reason: 'before_send', category: 'error', quantity: 40}],
  };
  const answer = await sendEnvelope(dsn, [{type: 'client_report', payload: report}]);
  assert.equal(answer.status, 200, answer.text);
  await page.goto(ui + '/status');
  const row = page.getByRole('row', {name: /default\s+before_send\s+error/});
  await row.waitFor();
  assert.match(await row.innerText(), /40/);
  assert.match(await page.getByRole('row', {name: /^Error events/}).innerText(), /\d KiB/);
  const panel = page.locator('.panel', {has: page.getByRole('heading', {name: 'From Sentry SDKs'})});
  assert.match(await panel.innerText(), /client report\s+1/);
  await page.getByText(http).waitFor();
  await assertAccessible(page, 'status');
});

step('a server that does not answer is told of, and the page goes on by itself', async page => {
  await page.goto(ui + '/');
  await page.locator('tr.issue').first().waitFor();
  await page.context().setOffline(true);
  await page.getByRole('alert').getByText('culprit does not answer').waitFor();
  assert.ok((await page.locator('tr.issue').count()) > 0, 'what is known stays');
  await page.context().setOffline(false);
  await page.getByRole('alert').waitFor({state: 'detached', timeout: 2 * patience});
  for (;;) {
    const before = opened.watched.count();
    opened.watched.expect(/ERR_INTERNET_DISCONNECTED/);
    if (opened.watched.count() === before) break;
  }
});

step('the browser had nothing to complain about', async () => opened.watched.assertQuiet());
