// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import type {Component, IssueHash} from '../src/api';
import {fold, hashGroups, outline, summary, variantName} from '../src/grouping';

const component = (id: string, contributes: boolean, values: Component['values'], hint: string | null = null) => ({
  id,
  contributes,
  hint,
  values,
});

const frame = (name: string, module: string, contributes: boolean, hint: string | null = null) =>
  component(
    'frame',
    contributes,
    [
      component('module', contributes, [module]),
      component('filename', false, []),
      component('function', contributes, [name]),
    ],
    hint,
  );

const app = component('app', true, [
  component('exception', true, [
    component('stacktrace', true, [
      frame('serve', 'lib', false, 'non app frame'),
      frame('call', 'lib', false, 'non app frame'),
      frame('checkout', 'shop.cart', true),
      frame('log', 'lib', false, 'ignored by stack trace rule'),
    ]),
    component('type', true, ['ValueError']),
    component('value', false, ['bad cart'], 'ignored because stacktrace takes precedence'),
  ]),
]);

test('a frame is one line, what was not there is none', () => {
  assert.deepEqual(
    outline(app).map(line => [line.depth, line.label, line.value, line.counts, line.reason]),
    [
      [0, 'exception', '', true, ''],
      [1, 'stack trace', '', true, ''],
      [2, 'frame', 'serve in lib', false, 'non app frame'],
      [2, 'frame', 'call in lib', false, 'non app frame'],
      [2, 'frame', 'checkout in shop.cart', true, ''],
      [2, 'frame', 'log in lib', false, 'ignored by stack trace rule'],
      [1, 'type', 'ValueError', true, ''],
      [1, 'value', 'bad cart', false, 'ignored because stacktrace takes precedence'],
    ],
  );
});

test('lines that do not count for the same reason are folded', () => {
  assert.deepEqual(
    fold(outline(app)).map(each => [each.lines.length, each.title]),
    [
      [1, ''],
      [1, ''],
      [2, '2 frames'],
      [1, ''],
      [1, ''],
      [1, ''],
      [1, ''],
    ],
  );
});

test('a few words say what counts', () => {
  assert.equal(summary(outline(app)), 'frame and type');
  const two = component('system', true, [frame('a', 'm', true), frame('b', 'm', true), component('type', true, ['E'])]);
  assert.equal(summary(outline(two)), '2 frames and type');
  assert.equal(summary(outline(component('custom-fingerprint', true, ['one', 'two']))), 'value');
  assert.equal(summary(outline(component('app', false, [component('type', true, ['E'])]))), '');
});

test('nothing counts under what does not', () => {
  const muted = component('app', false, [component('exception', true, [component('type', true, ['E'])])], 'why');
  assert.ok(outline(muted).every(line => !line.counts));
});

test('a frame that counts shows what counts of it', () => {
  const line = component('frame', true, [
    component('module', false, ['m']),
    component('function', false, ['<lambda>'], 'ignored'),
    component('context-line', true, ['raise Error']),
  ]);
  assert.equal(outline(component('app', true, [line]))[0]!.value, 'raise Error');
});

test('anything may come', () => {
  assert.deepEqual(outline({id: 'app'} as unknown as Component), []);
  assert.deepEqual(
    outline(component('app', true, [component('a', true, [1, null, 'x'])])).map(line => line.value),
    ['1  x'],
  );
  let deep = component('leaf', true, ['x']);
  for (let i = 0; i < 10000; i++) deep = component('c', true, [deep]);
  assert.equal(outline(deep).length, 600);
});

test('variants have names', () => {
  assert.equal(variantName('app'), 'Frames of the application');
  assert.equal(variantName('salted-app'), 'Frames of the application, and the fingerprint');
  assert.equal(variantName('new-one'), 'new-one');
});

test("hashes are the issue's own, then those of each merged one", () => {
  const hash = (name: string, from: string | null) => ({hash: name, merged_from: from}) as IssueHash;
  assert.deepEqual(
    hashGroups([hash('a', 'X-2'), hash('b', null), hash('c', 'X-2'), hash('d', 'X-3')]).map(group => [
      group.from,
      group.hashes.map(each => each.hash).join(),
    ]),
    [
      [null, 'b'],
      ['X-2', 'a,c'],
      ['X-3', 'd'],
    ],
  );
});
