// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {EventDetail, Log, RequestDocument, Span} from '../src/api';
import {around} from '../src/around';
import {build} from '../src/waterfall';

const base = 1700000000000;
const ns = (ms: number): string => String(BigInt(base + ms) * 1000000n);
const span = (id: string, parent: string | null, from: number, to: number): Span => ({
  trace_id: 't',
  span_id: id,
  parent_span_id: parent,
  name: id,
  kind: 'server',
  start_ns: ns(from),
  end_ns: ns(to),
  status: 'unset',
});
const log = (ms: number): Log => ({time_ns: ns(ms), body: `at ${ms}`, trace_id: 't', span_id: 'a'});
const request = (spans: Span[], logs: Log[], events: RequestDocument['events']): RequestDocument => ({
  id: 'r',
  request_ids: [],
  trace_ids: ['t'],
  truncated: false,
  spans,
  logs,
  events,
  verdict: null,
  jaeger_url: null,
});
const event = (more: Partial<EventDetail>): EventDetail =>
  ({event_id: 'e', trace_id: 't', span_id: 'c', timestamp: new Date(base + 50).toISOString(), ...more}) as EventDetail;
const known = {event_id: 'e', issue_id: '1', title: 'x', timestamp: '', time_ns: ns(40), trace_id: 't', span_id: 'c'};
const names = (nodes: {span?: Span; log?: Log}[]): unknown[] => nodes.map(node => node.span?.name ?? node.log?.body);

const spans = [span('a', null, 0, 100), span('b', 'a', 10, 90), span('c', 'b', 20, 60), span('d', 'a', 91, 95)];

test('the way to the error, and what was logged before it', () => {
  const found = around(build(request(spans, [log(1), log(30), log(40), log(41)], [known])), event({}), 2, 10);
  assert.deepEqual(names(found.chain), ['a', 'b', 'c']);
  assert.deepEqual(names(found.logs), ['at 30', 'at 40']);
  assert.equal(found.earlier, 1);
  assert.equal(found.at, 40);
  assert.deepEqual(names(found.lines), ['a', 'b', 'c', 'd']);
});

test('an event that the request does not list is placed by its own span and time', () => {
  const found = around(build(request(spans, [log(49), log(51)], [])), event({}), 5, 10);
  assert.deepEqual(names(found.chain), ['a', 'b', 'c']);
  assert.deepEqual(names(found.logs), ['at 49']);
  assert.equal(found.at, 50);
});

test('of many spans the way and the longest are in the picture', () => {
  const many = [...spans, ...Array.from({length: 100}, (_, i) => span('s' + i, 'a', i, i + (i % 3)))];
  const found = around(build(request(many, [], [known])), event({}), 5, 4);
  assert.deepEqual(names(found.lines), ['a', 'b', 'c', 'd']);
});

test('without a span and without a time there is still something', () => {
  const found = around(build(request([], [log(1)], [])), event({span_id: null, trace_id: null, timestamp: 'no'}), 5, 4);
  assert.deepEqual(found.chain, []);
  assert.equal(found.at, null);
  assert.deepEqual(names(found.logs), ['at 1']);
});
