// SPDX-License-Identifier: Apache-2.0
//
// A request through two services whose second one fails, as OTLP/JSON over HTTP.
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';

const text = (key, value) => ({key, value: {stringValue: value}});
const resource = service => ({
  attributes: [
    text('service.name', service),
    text('service.version', '1.4.2'),
    text('deployment.environment.name', 'production'),
  ],
});

const stack = (type, message) => `Traceback (most recent call last):
  File "/app/shop/views.py", line 31, in checkout
    total = cart.total(items)
  File "/app/shop/cart.py", line 88, in total
    raise ${type}(message)
${type}: ${message}`;

async function post(base, path, body) {
  const response = await fetch(base + path, {
    method: 'POST',
    headers: {'content-type': 'application/json'},
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200, `${path}: ${await response.text()}`);
}

export async function sendFailingRequest(base, {type, message}) {
  const traceId = randomBytes(16).toString('hex');
  const requestId = 'req-' + randomBytes(8).toString('hex');
  const [root, server, query] = [1, 2, 3].map(() => randomBytes(8).toString('hex'));
  const now = BigInt(Date.now()) * 1000000n;
  const at = ms => String(now - 500000000n + BigInt(ms * 1000) * 1000n);
  const span = (spanId, parentSpanId, name, kind, from, to, more = {}) => ({
    traceId,
    spanId,
    ...(parentSpanId ? {parentSpanId} : {}),
    name,
    kind,
    startTimeUnixNano: at(from),
    endTimeUnixNano: at(to),
    ...more,
  });
  const failed = {status: {code: 2, message}};
  await post(base, '/v1/traces', {
    resourceSpans: [
      {
        resource: resource('frontend'),
        scopeSpans: [
          {
            scope: {name: 'test'},
            spans: [
              span(root, null, 'POST /checkout', 2, 0, 400, {
                ...failed,
                attributes: [text('request_id', requestId), text('http.route', '/checkout')],
              }),
            ],
          },
        ],
      },
      {
        resource: resource('checkout'),
        scopeSpans: [
          {
            scope: {name: 'test'},
            spans: [
              span(server, root, 'checkout cart', 2, 20, 380, {
                ...failed,
                events: [
                  {
                    timeUnixNano: at(370),
                    name: 'exception',
                    attributes: [
                      text('exception.type', type),
                      text('exception.message', message),
                      text('exception.stacktrace', stack(type, message)),
                    ],
                  },
                ],
              }),
              span(query, server, 'SELECT stock', 3, 30, 90, {
                attributes: [text('db.system', 'postgresql')],
              }),
            ],
          },
        ],
      },
    ],
  });
  await post(base, '/v1/logs', {
    resourceLogs: [
      {
        resource: resource('checkout'),
        scopeLogs: [
          {
            logRecords: [
              {
                timeUnixNano: at(60),
                severityNumber: 13,
                severityText: 'WARN',
                body: {stringValue: 'stock is low'},
                traceId,
                spanId: server,
              },
            ],
          },
        ],
      },
    ],
  });
  return {traceId, requestId};
}
