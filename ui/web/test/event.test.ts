// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {Exception, Frame} from '../src/api';
import {
  breadcrumbsOf,
  exceptionsOf,
  frameLocation,
  framesOf,
  frameToOpen,
  groupFrames,
  messageOf,
  pairsOf,
  rawText,
  sourceLines,
  text,
  threadsWithStack,
} from '../src/event';

const frame = (name: string, inApp: boolean | null, more: Partial<Frame> = {}): Frame => ({
  function: name,
  in_app: inApp,
  ...more,
});

test('exceptions and frames are turned round: the newest first', () => {
  const document = {
    exception: {
      values: [{type: 'Cause', stacktrace: {frames: [frame('outer', true), frame('inner', true)]}}, {type: 'Raised'}],
    },
  };
  const found = exceptionsOf(document);
  assert.deepEqual(
    found.map(exception => exception.type),
    ['Raised', 'Cause'],
  );
  assert.deepEqual(
    framesOf(found[1]!).map(each => each.function),
    ['inner', 'outer'],
  );
  assert.deepEqual(framesOf(found[0]!), []);
});

test('a document that holds anything anywhere is read without a fault', () => {
  for (const bad of [null, 7, 'text', [], {}, [null], {values: 'no'}, {values: [null, 3, [], 'x']}]) {
    const document = {exception: bad, threads: bad, breadcrumbs: bad, message: bad, logentry: bad};
    for (const exception of exceptionsOf(document)) framesOf(exception);
    threadsWithStack(document);
    breadcrumbsOf(document);
    assert.equal(typeof messageOf(document), 'string');
    pairsOf(bad);
  }
  assert.deepEqual(
    framesOf({stacktrace: {frames: [null, 'x', frame('f', true)]}} as unknown as Exception).map(each => each.function),
    ['f'],
  );
  assert.equal(text({a: [1]}), '{"a":[1]}');
});

test('library frames fold together, those of the application stand alone', () => {
  const groups = groupFrames([
    frame('l1', false),
    frame('l2', null),
    frame('a1', true),
    frame('a2', true),
    frame('l3', false),
  ]);
  assert.deepEqual(
    groups.map(group => [group.inApp, group.first, group.frames.map(each => each.function)]),
    [
      [false, 0, ['l1', 'l2']],
      [true, 2, ['a1']],
      [true, 3, ['a2']],
      [false, 4, ['l3']],
    ],
  );
});

test('without any mark of the application nothing is folded', () => {
  const frames = [frame('a', false), frame('b', null)];
  assert.deepEqual(
    groupFrames(frames).map(group => group.inApp),
    [true, true],
  );
  assert.equal(frameToOpen(frames), 0);
  assert.equal(frameToOpen([frame('l', false), frame('a', true)]), 1);
});

test('source lines have their numbers', () => {
  const lines = sourceLines(
    frame('f', true, {lineno: 88, pre_context: ['before'], context_line: 'here', post_context: ['after', '']}),
  );
  assert.deepEqual(
    lines.map(line => [line.number, line.text, line.current]),
    [
      [87, 'before', false],
      [88, 'here', true],
      [89, 'after', false],
      [90, '', false],
    ],
  );
  assert.deepEqual(sourceLines(frame('f', true, {lineno: 88})), []);
  assert.equal(sourceLines(frame('f', true, {context_line: 'x'}))[0]!.number, null);
});

test('the trace as text: as it came, or rebuilt', () => {
  const rebuilt: Exception = {
    type: 'E',
    value: 'v',
    stacktrace: {
      frames: [
        frame('main', true, {filename: 'a.py', lineno: 1}),
        frame('f', true, {module: 'm', filename: 'b.py', lineno: 2, colno: 3}),
      ],
    },
  };
  assert.equal(rawText([rebuilt]), 'E: v\n    at m.f (b.py:2:3)\n    at main (a.py:1)');
  assert.equal(rawText([{raw_stacktrace_text: 'Traceback'}, {type: 'C'}]), 'Traceback\nCaused by: C');
  assert.equal(frameLocation({abs_path: '/x/y.py', lineno: 4}), '/x/y.py:4');
});

test('messages, pairs and breadcrumbs in each of their forms', () => {
  assert.equal(messageOf({logentry: {formatted: 'done', message: 'template'}}), 'done');
  assert.equal(messageOf({message: 'plain'}), 'plain');
  assert.equal(messageOf({message: {message: 'inner'}}), 'inner');
  assert.deepEqual(pairsOf([['a', 1], 'no', ['b']]), [
    ['a', 1],
    ['b', undefined],
  ]);
  assert.deepEqual(pairsOf({a: 1}), [['a', 1]]);
  const crumbs = breadcrumbsOf({
    breadcrumbs: {values: [{timestamp: 1.5, type: 'http', message: 'GET'}, {timestamp: 1e300}]},
  });
  assert.deepEqual(
    [crumbs[0]!.timestamp, crumbs[0]!.category, crumbs[0]!.level],
    ['1970-01-01T00:00:01.500Z', 'http', 'info'],
  );
});
