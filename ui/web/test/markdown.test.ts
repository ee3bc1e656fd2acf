// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {EventDetail, IssueDetail} from '../src/api';
import {eventMarkdown} from '../src/markdown';

const issue = {
  short_id: 'SHOP-3',
  title: 'ValueError: bad\ncart',
  status: 'unresolved',
  substatus: 'new',
  count: 1234,
  first_seen: '2026-11-21T09:00:00Z',
  last_seen: '2026-11-21T10:00:00Z',
} as IssueDetail;

const event = (document: Record<string, unknown>): EventDetail =>
  ({event_id: 'ab'.repeat(16), timestamp: '2026-11-21T10:00:00Z', service: 'checkout', document}) as EventDetail;

test('what somebody who is asked about it wants to know', () => {
  const made = eventMarkdown(
    issue,
    event({
      exception: {
        values: [
          {type: 'KeyError', value: "'x'"},
          {
            type: 'ValueError',
            value: 'bad\ncart',
            stacktrace: {
              frames: [
                {function: 'lib', module: 'web', filename: 'web.py', lineno: 1, in_app: false, vars: {hidden: 1}},
                {
                  function: 'total',
                  module: 'cart',
                  filename: 'cart.py',
                  lineno: 88,
                  in_app: true,
                  pre_context: ['a', 'b', 'c'],
                  context_line: 'raise ValueError()',
                  vars: {items: [1, 2]},
                },
              ],
            },
          },
        ],
      },
      request: {method: 'POST', url: 'http://shop/cart'},
      user: {id: '7'},
      tags: [['browser', 'Firefox']],
      breadcrumbs: [{timestamp: 1, category: 'query', message: 'SELECT 1'}],
    }),
    'http://culprit/issues/3',
  );
  assert.match(made, /^# ValueError: bad cart\n/);
  assert.match(made, /- Events: `1\u202f234`\n/);
  assert.match(made, /## `ValueError: bad cart`\n\n```\n> cart\.total {2}\(cart\.py:88\)\n {7}86 b\n/);
  assert.match(made, /-> 88 raise ValueError\(\)\n {7}items = \[1,2\]\n {2}web\.lib {2}\(web\.py:1\)\n```/);
  assert.match(made, /## Caused by: `KeyError: 'x'`\n\nNo stack trace\./);
  for (const part of ['- URL: `http://shop/cart`', '- id: `7`', '- browser: `Firefox`', '`info query SELECT 1`'])
    assert.ok(made.includes(part), part);
  assert.doesNotMatch(made, /hidden/);
});

test('what was sent cannot end its fence, and anything may be missing', () => {
  const made = eventMarkdown(issue, event({message: 'before\n```\n# not a heading'}), '');
  assert.match(made, /\n````\nbefore\n```\n# not a heading\n````\n/);
  for (const bad of [null, 7, [], {exception: 7, request: 'x', user: [], tags: 3, breadcrumbs: {values: 1}}])
    assert.equal(typeof eventMarkdown(issue, event(bad as Record<string, unknown>), ''), 'string');
});
