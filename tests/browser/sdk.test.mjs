// SPDX-License-Identifier: Apache-2.0
//
// A shop's page with Sentry's SDK, in a real browser, from an origin of its own: what the browser lets through (CORS),
// what culprit's API makes of it, and what culprit's own pages show. CULPRIT_UI says where culprit listens;
// tests/browser/run starts one.
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {fileURLToPath} from 'node:url';
import {after, before, test} from 'node:test';
import {build} from 'esbuild';
import {chromium} from 'playwright-core';
import {watch} from './checks.mjs';
import {factor, ui} from './page.mjs';

const patience = 15000 * factor;
const here = name => fileURLToPath(new URL(name, import.meta.url));

let browser;
let shop; // the server of the page
let origin;
let asked; // headers of the page's own requests to /api/stock
let dsn;
let page;
let sent; // envelopes, as the browser saw them go
let complaints;

const html =
  '<!doctype html><html lang="en"><title>A shop</title><link rel="icon" href="data:,"><body><output></output><script src="/shop.js"></script>';

async function serve() {
  const bundle = await build({entryPoints: [here('sdk/page.js')], bundle: true, write: false, format: 'iife'});
  asked = [];
  shop = createServer((request, response) => {
    const {pathname} = new URL(request.url, origin);
    if (pathname === '/api/stock') asked.push(request.headers);
    const known = {
      '/': ['text/html', html],
      '/shop.js': ['text/javascript', bundle.outputFiles[0].text],
      '/api/stock': ['application/json', '{"left":7}'],
    }[pathname];
    response.writeHead(known ? 200 : 404, {'content-type': known?.[0] ?? 'text/plain'});
    response.end(known?.[1]);
  });
  await new Promise(resolve => shop.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${shop.address().port}`;
}

async function api(path, init) {
  const response = await fetch(ui + '/api/v1' + path, init);
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response.json();
}

// Asks until there is an answer; what is thrown meanwhile means "not yet".
async function until(what, ask) {
  const end = Date.now() + patience;
  for (let last; ;) {
    try {
      const answer = await ask();
      if (answer) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`not within ${patience} ms: ${what}`, {cause: last});
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

const issueOf = title =>
  until(`an issue "${title}"`, async () =>
    (await api('/issues?status=all&limit=200')).issues.find(
      issue => issue.project === project && issue.title === title,
    ),
  );
const eventOf = async issue => api(`/events/${(await api(`/issues/${issue.id}`)).latest_event}`);

const project = 'web-' + Date.now().toString(36);

// Opens the shop's page. Whatever the browser has to complain about but the page's own errors is a failure.
async function open(address) {
  page = await browser.newPage();
  page.setDefaultTimeout(patience);
  sent = [];
  complaints = [];
  page.on('console', message => {
    if (message.type() === 'error' && !/Uncaught/.test(message.text())) complaints.push(message.text());
  });
  page.on('response', async response => {
    const request = response.request();
    if (!request.url().includes('/envelope/') || request.method() !== 'POST') return;
    sent.push({
      url: new URL(request.url()),
      headers: await request.allHeaders(),
      body: request.postData() ?? '',
      status: response.status(),
    });
  });
  page.on('requestfailed', request => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
  await page.goto(address);
}

const itemTypes = envelope => [...envelope.body.matchAll(/^\{"type":"(\w+)"/gm)].map(match => match[1]);
const wasSent = type =>
  until(`an envelope with ${type}`, () => sent.find(envelope => itemTypes(envelope).includes(type)));

before(async () => {
  await serve();
  const made = await api('/projects', {
    method: 'POST',
    headers: {'content-type': 'application/json'},
    body: JSON.stringify({slug: project}),
  });
  dsn = made.dsn;
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  await open(`${origin}/?dsn=${encodeURIComponent(dsn)}`);
});

after(async () => {
  await browser?.close();
  shop?.closeAllConnections();
  shop?.close();
});

test('loading the page is a transaction', async () => {
  const envelope = await wasSent('transaction');
  // A body that needs no question to the server first; the key in the address.
  assert.match(envelope.headers['content-type'], /^text\/plain/);
  assert.equal(envelope.status, 200);
  assert.notEqual(envelope.url.origin, origin);
  assert.equal(envelope.url.searchParams.get('sentry_key'), new URL(dsn).username);
  assert.equal(envelope.headers['x-sentry-auth'], undefined);
  const traceId = JSON.parse(envelope.body.split('\n')[0]).trace.trace_id;
  const found = await until('the request', async () => {
    const answer = await api(`/requests/${traceId}`);
    return answer.spans.some(span => span.attributes['sentry.op'] === 'pageload') && answer;
  });
  const root = found.spans.find(span => span.parent_span_id === null);
  assert.equal(root.name, '/');
  assert.equal(root.attributes['sentry.op'], 'pageload');
  assert.equal(root.attributes['sentry.source'], 'url');
  assert.equal(root.resource['service.version'], 'shop-web@1.0.0');
  assert.equal(root.resource['deployment.environment.name'], 'staging');
  assert.equal(root.resource['telemetry.sdk.name'], 'sentry.javascript.browser');
  const ids = new Set(found.spans.map(span => span.span_id));
  assert.ok(found.spans.length > 3, 'the browser told of its phases');
  for (const span of found.spans) {
    assert.ok(span === root || ids.has(span.parent_span_id), span.name);
    assert.ok(BigInt(span.end_ns) >= BigInt(span.start_ns), span.name);
  }
  const script = found.spans.find(span => span.attributes['sentry.op'] === 'resource.script');
  assert.match(script.name, /\/shop\.js$/);
});

test('an error in a handler is an issue with the way that led to it', async () => {
  await page.click('#checkout');
  const issue = await issueOf("TypeError: Cannot read properties of undefined (reading 'amount')");
  assert.equal(issue.platform, 'javascript');
  assert.equal(issue.level, 'error');
  assert.equal(issue.count, 1);
  assert.deepEqual(issue.environments, ['staging']);
  assert.deepEqual(issue.releases, ['shop-web@1.0.0']);
  const event = await eventOf(issue);
  assert.equal(event.source, 'sdk');
  const {document} = event;
  const [raised] = document.exception.values;
  assert.equal(raised.mechanism.handled, false);
  const frames = raised.stacktrace.frames;
  assert.deepEqual(
    frames.slice(-2).map(frame => [frame.function, frame.filename, frame.in_app]),
    [
      ['checkout', '/shop.js', true],
      ['priceOf', '/shop.js', true],
    ],
  );
  assert.ok(frames.every(frame => frame.abs_path === `${origin}/shop.js` && frame.lineno > 0 && frame.colno > 0));
  const crumbs = document.breadcrumbs.values.map(crumb => [crumb.category, crumb.message]);
  assert.deepEqual(crumbs.slice(-3), [
    ['ui.click', 'body > button#checkout'],
    ['cart', 'checking out'],
    ['console', 'the cart is odd'],
  ]);
  assert.deepEqual(document.breadcrumbs.values.at(-2).data, {items: 2, password: '[Filtered]'});
  assert.equal(new URL(document.request.url).origin, origin);
  assert.match(document.request.headers['User-Agent'], /Chrome/);
  assert.equal(document.user.id, '7');
  assert.equal(document.tags.tenant, 'north');
  assert.equal(document.sdk.name, 'sentry.javascript.browser');
  assert.equal(document.transaction, '/');
  assert.ok(!JSON.stringify(event).includes('hunter2canary'));
  const envelope = await wasSent('event');
  assert.equal(envelope.status, 200);
  assert.equal(JSON.parse(envelope.body.split('\n')[0]).event_id, event.event_id);
});

test('a rejection that nobody handles is one too', async () => {
  await page.click('#pay');
  const event = await eventOf(await issueOf('RangeError: card limit reached'));
  const [raised] = event.document.exception.values;
  assert.equal(raised.mechanism.handled, false);
  assert.match(raised.mechanism.type, /onunhandledrejection/);
  assert.equal(raised.stacktrace.frames.at(-1).function, 'pay');
});

test('a message is an event of its level', async () => {
  await page.click('#note');
  const issue = await issueOf('the shop is open');
  assert.equal(issue.level, 'info');
  assert.equal(issue.type, null);
  assert.equal((await eventOf(issue)).document.logentry.formatted, 'the shop is open');
});

test("the page's own requests are spans, and carry their trace to its server", async () => {
  await page.click('#ask');
  await page.getByText('7 left').waitFor();
  const [traceId, spanId, sampled] = asked.at(-1)['sentry-trace'].split('-');
  assert.equal(sampled, '1');
  const found = await until('the request', async () => {
    const answer = await api(`/requests/${traceId}`);
    return answer.spans.some(span => span.span_id === spanId) && answer;
  });
  const client = found.spans.find(span => span.span_id === spanId);
  assert.equal(client.name, 'GET /api/stock');
  assert.equal(client.kind, 'client');
  assert.equal(client.attributes['sentry.op'], 'http.client');
  assert.equal(client.attributes['http.response.status_code'], 200);
  const look = found.spans.find(span => span.span_id === client.parent_span_id);
  assert.equal(look.name, 'look at the stock');
  assert.equal(look.attributes['shelf'], 'B4');
});

test('a log belongs to the trace of the page', async () => {
  await page.click('#log');
  const envelope = await wasSent('log');
  const traceId = JSON.parse(envelope.body.split('\n')[2]).items[0].trace_id;
  const [log] = await until('the log', async () => {
    const {logs} = await api(`/requests/${traceId}`);
    return logs.length > 0 && logs;
  });
  assert.equal(log.body, 'shelf B4 is empty');
  assert.equal(log.severity, 'warn');
  assert.equal(log.severity_number, 13);
  assert.equal(log.attributes['sentry.message.template'], 'shelf %s is empty');
  assert.equal(log.attributes.left, 0);
});

test('the browser had nothing to complain about', () => assert.deepEqual(complaints, []));

test('with a header of its own the browser asks first, and is let through', async () => {
  const ingest = new URL(dsn);
  const address = `${ingest.protocol}//${ingest.host}/api${ingest.pathname}/envelope/`;
  const preflight = await fetch(address, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,x-sentry-auth',
    },
  });
  assert.ok(preflight.ok);
  assert.ok(['*', origin].includes(preflight.headers.get('access-control-allow-origin')));
  assert.match(preflight.headers.get('access-control-allow-headers'), /x-sentry-auth/i);
  assert.match(preflight.headers.get('access-control-allow-methods'), /POST/);

  await page.close();
  await open(`${origin}/?auth=1&dsn=${encodeURIComponent(dsn)}`);
  await page.click('#pay');
  const envelope = await wasSent('event');
  assert.match(envelope.headers['x-sentry-auth'], /sentry_key=/);
  assert.equal(envelope.status, 200);
  await until('the second event', async () => (await issueOf('RangeError: card limit reached')).count === 2);
  assert.deepEqual(complaints, []);
});

test("culprit's pages show the error and the request it came from", async () => {
  const issue = await issueOf("TypeError: Cannot read properties of undefined (reading 'amount')");
  const event = await eventOf(issue);
  const own = await browser.newPage({viewport: {width: 1280, height: 900}});
  own.setDefaultTimeout(patience);
  const watched = await watch(own, ui);
  await own.goto(`${ui}/issues/${issue.id}`);
  await own.getByRole('heading', {level: 1, name: 'TypeError'}).waitFor();
  const frames = own.locator('.frame.in-app');
  await frames.first().waitFor();
  const [crash, caller] = await frames.allInnerTexts();
  assert.match(crash, /priceOf\s[^]*\/shop\.js:\d+:\d+/);
  assert.match(caller, /checkout\s[^]*\/shop\.js:\d+:\d+/);
  for (const text of [
    ...['unhandled', 'auto.browser.browserapierrors.addEventListener'], // what the SDK says of the exception
    ...['body > button#checkout', 'checking out', 'the cart is odd', '[Filtered]'], // breadcrumbs
    ...['shop-web@1.0.0', 'staging', 'jane', 'north', 'HeadlessChrome', 'sentry.javascript.browser'],
  ]) {
    await own.getByText(text).first().waitFor({state: 'attached'});
  }
  assert.equal(await own.getByText('hunter2canary').count(), 0);
  await own.locator(`a[href^="/requests/${event.trace_id}"]`).first().click();
  await own.waitForURL(url => url.pathname === '/requests/' + event.trace_id);
  const tree = own.getByRole('tree');
  await tree.getByRole('treeitem', {name: /^\/, /}).first().waitFor();
  await tree.getByRole('treeitem', {name: /Error: TypeError/}).waitFor();
  watched.assertQuiet();
});
