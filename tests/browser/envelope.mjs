// SPDX-License-Identifier: Apache-2.0
//
// What a Sentry SDK sends, put together by hand: every part of an event that the pages show.
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';

// A picture of one red pixel.
export const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC',
  'base64',
);

export async function sendEnvelope(dsn, items, header = {}) {
  const {protocol, username, host, pathname} = new URL(dsn);
  const parts = [Buffer.from(JSON.stringify({dsn, ...header}) + '\n')];
  for (const {payload, ...item} of items) {
    const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload));
    parts.push(Buffer.from(JSON.stringify({...item, length: bytes.length}) + '\n'), bytes, Buffer.from('\n'));
  }
  const response = await fetch(`${protocol}//${host}/api${pathname}/envelope/`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-sentry-envelope',
      'x-sentry-auth': `Sentry sentry_version=7, sentry_client=test/1, sentry_key=${username}`,
    },
    body: Buffer.concat(parts),
  });
  return {status: response.status, text: await response.text()};
}

export function event({type, message, user = 'u-1', release = 'shop@1.4.2', requestId}) {
  const id = randomBytes(16).toString('hex');
  return {
    event_id: id,
    timestamp: Date.now() / 1000,
    platform: 'python',
    level: 'error',
    release,
    environment: 'production',
    server_name: 'web-3',
    transaction: '/cart/checkout',
    tags: {
      provider: user === 'u-1' ? 'stripe' : 'adyen',
      ...(requestId ? {request_id: requestId} : {}),
    },
    user: {id: user, email: `${user}@example.test`},
    request: {
      method: 'POST',
      url: 'https://shop.example/cart/checkout',
      query_string: 'page=2&token=tok_123456',
      headers: {authorization: 'Bearer abcdef', 'user-agent': 'Firefox'},
      cookies: {sid: '123456'},
      data: {cart: 11, password: 'hunter2', address: {city: 'Vienna'}},
    },
    contexts: {
      runtime: {name: 'CPython', version: '3.12.1'},
      cart: {items: 3, currency: 'EUR'},
    },
    extra: {flags: {new_checkout: true}},
    breadcrumbs: {
      values: [
        {
          timestamp: Date.now() / 1000 - 2,
          category: 'ui.click',
          message: 'button#pay',
          level: 'info',
        },
        {
          timestamp: Date.now() / 1000 - 1,
          category: 'http',
          level: 'warning',
          data: {url: '/charges', status_code: 503},
        },
      ],
    },
    exception: {
      values: [
        {
          type: 'ConnectionError',
          value: 'gateway refused the connection',
          stacktrace: {frames: [frame('charge', 13)]},
        },
        {
          type,
          value: message,
          mechanism: {type: 'starlette', handled: false},
          stacktrace: {
            frames: [
              {
                function: '__call__',
                module: 'starlette.routing',
                filename: 'starlette/routing.py',
                lineno: 60,
                in_app: false,
              },
              {
                function: 'app',
                module: 'starlette.routing',
                filename: 'starlette/routing.py',
                lineno: 71,
                in_app: false,
              },
              frame('checkout', 31),
              frame('pay', 19, {
                cart: ['apple'],
                password: 'hunter2',
                total: '19.99',
              }),
            ],
          },
        },
      ],
    },
  };
}

function frame(name, lineno, vars) {
  return {
    function: name,
    module: 'shop.cart',
    filename: 'shop/cart.py',
    abs_path: '/srv/shop/cart.py',
    lineno,
    in_app: true,
    pre_context: ['def before():', '    pass'],
    context_line: `    raise_in_${name}()`,
    post_context: ['', 'def after():'],
    ...(vars ? {vars} : {}),
  };
}

export async function sendEvent(dsn, of, {attachments = false, feedback = null} = {}) {
  const items = [{type: 'event', payload: of}];
  if (attachments) {
    items.push(
      {
        type: 'attachment',
        filename: 'worker.log',
        content_type: 'text/plain',
        payload: Buffer.from('line one\npassword=hunter2\n'),
      },
      {
        type: 'attachment',
        filename: 'screen.png',
        content_type: 'image/png',
        payload: png,
      },
    );
  }
  const answer = await sendEnvelope(dsn, items, {event_id: of.event_id});
  assert.equal(answer.status, 200, answer.text);
  if (!feedback) return;
  const report = {
    event_id: of.event_id,
    name: 'Kim Doe',
    email: 'kim@example.test',
    comments: feedback,
  };
  const said = await sendEnvelope(dsn, [{type: 'user_report', payload: report}]);
  assert.equal(said.status, 200, said.text);
}

// What a feedback widget sends: words about an event, or about none, maybe with a picture.
export async function sendFeedback(dsn, {message, email, about, withPicture = false}) {
  const id = randomBytes(16).toString('hex');
  const words = {message, name: 'Joe', contact_email: email, associated_event_id: about, url: 'https://shop.example/'};
  const items = [{type: 'feedback', payload: {event_id: id, type: 'feedback', contexts: {feedback: words}}}];
  if (withPicture)
    items.push({type: 'attachment', filename: 'screenshot.png', content_type: 'image/png', payload: png});
  const answer = await sendEnvelope(dsn, items, {event_id: id});
  assert.equal(answer.status, 200, answer.text);
}
