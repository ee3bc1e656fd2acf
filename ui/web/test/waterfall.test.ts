// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {Log, RequestDocument, RequestEvent, Span} from '../src/api';
import {build, logText, matches, place, rows, windowOf, type Shown} from '../src/waterfall';

const trace = 'a'.repeat(32);
const baseNs = 1763719200000000000n;
const ns = (ms: number): string => String(baseNs + BigInt(Math.round(ms * 1e6)));

function span(id: string, parent: string | null, start: number, end: number, more: Partial<Span> = {}): Span {
  return {
    trace_id: trace,
    span_id: id,
    parent_span_id: parent,
    name: 'span ' + id,
    kind: 'internal',
    service: 'shop',
    start_ns: ns(start),
    end_ns: ns(end),
    status: 'unset',
    ...more,
  };
}

function log(time: number, spanId: string | null, more: Partial<Log> = {}): Log {
  return {
    time_ns: ns(time),
    severity_number: 9,
    severity: 'INFO',
    service: 'shop',
    trace_id: trace,
    span_id: spanId,
    body: 'at ' + time,
    ...more,
  };
}

function event(time: number, spanId: string | null): RequestEvent {
  return {
    event_id: 'e' + time,
    issue_id: '17',
    title: 'ValueError: bad cart',
    timestamp: '',
    time_ns: ns(time),
    service: 'shop',
    trace_id: trace,
    span_id: spanId,
    level: 'error',
  };
}

function request(spans: Span[], logs: Log[] = [], events: RequestEvent[] = []): RequestDocument {
  return {
    id: trace,
    request_ids: [],
    trace_ids: [trace],
    truncated: false,
    spans,
    logs,
    events,
    verdict: null,
    jaeger_url: null,
  };
}

const everything: Shown = {folded: new Set(), logs: true, text: ''};
const keys = (document: RequestDocument, shown: Partial<Shown> = {}): string[] =>
  rows(build(document), {...everything, ...shown}).map(node => node.key.replace(trace + ':', ''));

test('spans are under their parents, siblings by start, with logs and errors in between by time', () => {
  const document = request(
    [
      span('late', 'root', 50, 60),
      span('root', null, 0, 100),
      span('early', 'root', 10, 20),
      span('leaf', 'early', 12, 13),
    ],
    [log(30, 'root'), log(11, 'early')],
    [event(12.5, 'leaf')],
  );
  assert.deepEqual(keys(document), ['root', 'early', 'log:1', 'leaf', 'event:e12.5', 'log:0', 'late']);
  const timeline = build(document);
  assert.deepEqual(
    rows(timeline, everything).map(node => node.depth),
    [1, 2, 3, 3, 4, 2, 2],
  );
  assert.equal(timeline.length, 100);
  const root = timeline.nodes.get(trace + ':root')!;
  assert.equal(root.descendants, 6);
  assert.equal(root.failedBelow, true);
  assert.equal(timeline.nodes.get(trace + ':late')!.failedBelow, false);
});

test('times are exact beyond the precision of a number', () => {
  const document = request([span('a', null, 0, 0)]);
  document.spans[0]!.end_ns = String(baseNs + 1n);
  assert.equal(build(document).length, 0.000001);
  assert.equal(build(document).nodes.get(trace + ':a')!.end, 0.000001);
});

test('a missing parent, itself as parent, and circles lose no span', () => {
  const document = request([
    span('orphan', 'gone', 5, 6),
    span('self', 'self', 1, 2),
    span('x', 'y', 10, 11),
    span('y', 'z', 12, 13),
    span('z', 'x', 14, 15),
    span('under', 'z', 14, 15),
  ]);
  const timeline = build(document);
  assert.deepEqual(keys(document).sort(), ['orphan', 'self', 'under', 'x', 'y', 'z']);
  assert.equal(timeline.nodes.get(trace + ':orphan')!.orphan, true);
  assert.deepEqual(
    timeline.roots[0]!.children.map(node => node.span!.span_id),
    ['self', 'orphan', 'x'],
  );
});

test('the same span twice is there twice, its children once', () => {
  const found = keys(request([span('a', null, 0, 10), span('a', null, 0, 10), span('b', 'a', 1, 2)]));
  assert.equal(found.length, 3);
  assert.equal(found.filter(key => key === 'b').length, 1);
});

test('a chain of 5 000 spans and 5 000 siblings are built at once', () => {
  const chain = Array.from({length: 5000}, (_, i) => span('s' + i, i > 0 ? 's' + (i - 1) : null, i, 10000 - i));
  const started = performance.now();
  const timeline = build(request([...chain].reverse()));
  assert.equal(rows(timeline, everything).length, 5000);
  assert.equal(timeline.nodes.get(trace + ':s4999')!.depth, 5000);
  const wide = Array.from({length: 5000}, (_, i) => span('w' + i, i > 0 ? 'w0' : null, i, i + 1));
  assert.equal(rows(build(request(wide)), everything).length, 5000);
  const circle = Array.from({length: 5000}, (_, i) => span('c' + i, 'c' + ((i + 1) % 5000), i, i + 1));
  assert.equal(rows(build(request(circle)), everything).length, 5000);
  assert.ok(performance.now() - started < 2000, 'takes time linear in the spans');
});

test('several traces, and what has none, are told apart', () => {
  const other = 'b'.repeat(32);
  const document = request(
    [span('r', null, 0, 1), span('r', null, 5, 6, {trace_id: other})],
    [log(3, null, {trace_id: null})],
  );
  document.verdict = {decision: 'keep', traces: [{trace_id: other, decision: 'keep', policy: 'errors'}]};
  const timeline = build(document);
  assert.deepEqual(
    timeline.roots.map(node => node.traceId),
    [trace, '', other],
  );
  assert.equal(timeline.roots[2]!.verdict?.policy, 'errors');
  assert.deepEqual(
    rows(timeline, everything).map(node => node.kind),
    ['trace', 'span', 'trace', 'log', 'trace', 'span'],
  );
});

test('a log of an unknown span belongs to its trace', () => {
  assert.deepEqual(keys(request([span('r', null, 0, 9)], [log(3, 'gone')])), ['r', 'log:0']);
});

test('folding, logs off, and finding', () => {
  const document = request(
    [
      span('root', null, 0, 100),
      span('db', 'root', 10, 20, {attributes: {'db.system': 'PostgreSQL'}}),
      span('leaf', 'db', 12, 13),
      span('other', 'root', 30, 40),
    ],
    [log(11, 'db')],
    [event(12.5, 'leaf')],
  );
  assert.deepEqual(keys(document, {folded: new Set([trace + ':db'])}), ['root', 'db', 'other']);
  assert.deepEqual(keys(document, {logs: false}), ['root', 'db', 'leaf', 'event:e12.5', 'other']);
  assert.deepEqual(keys(document, {text: 'db.system=postgres'}), ['root', 'db']);
  assert.deepEqual(keys(document, {text: 'bad cart', folded: new Set([trace + ':db'])}), [
    'root',
    'db',
    'leaf',
    'event:e12.5',
  ]);
  assert.deepEqual(keys(document, {text: 'nothing has this'}), []);
  assert.equal(matches(build(document).nodes.get('log:0')!, 'at 11'), true);
});

test('a span that ends before it starts has no negative length', () => {
  const timeline = build(request([span('a', null, 10, 5), span('b', null, 0, 20)]));
  const node = timeline.nodes.get(trace + ':a')!;
  assert.equal(node.end, node.start);
});

test('an empty request has a length to divide by', () => {
  const timeline = build(request([]));
  assert.ok(timeline.length > 0);
  assert.deepEqual(rows(timeline, everything), []);
});

test('what a log says', () => {
  assert.equal(logText(log(0, null, {body: 'text'})), 'text');
  assert.equal(logText(log(0, null, {body: {level: 'info', msg: 'inside'}})), 'inside');
  assert.equal(logText(log(0, null, {body: {a: 1}})), '{"a":1}');
  assert.equal(logText(log(0, null, {body: null, event_name: 'device.crash'})), 'device.crash');
  assert.equal(logText(log(0, null, {body: 42})), '42');
});

test('places in percent of the range', () => {
  assert.deepEqual(place(25, 50, {from: 0, to: 100}), {x: 25, width: 25});
  assert.deepEqual(place(-10, 200, {from: 0, to: 100}), {x: 0, width: 100});
  assert.deepEqual(place(30, 30, {from: 20, to: 40}), {x: 50, width: 0});
  assert.equal(place(0, 10, {from: 20, to: 40}), null);
  assert.equal(place(50, 60, {from: 20, to: 40}), null);
  assert.equal(place(0, 0, {from: 5, to: 5}), null);
});

test('the rows that a window shows', () => {
  assert.deepEqual(windowOf(5000, 26, -300, 900, 10), {from: 0, to: 34});
  assert.deepEqual(windowOf(5000, 26, 26000, 900, 10), {from: 990, to: 1045});
  assert.deepEqual(windowOf(20, 26, 99999, 900, 10), {from: 20, to: 20});
  assert.deepEqual(windowOf(0, 26, 0, 900, 10), {from: 0, to: 0});
});
