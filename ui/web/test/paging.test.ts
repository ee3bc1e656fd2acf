// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {renew, type Page} from '../src/paging';

const page = (from: number, to: number, next: string | null): Page<number> => ({
  items: Array.from({length: from - to + 1}, (_, index) => from - index),
  next,
});
const renewed = (known: Page<number>, first: Page<number>): Page<number> => renew(known, first, String);

test('what a newer item pushes off the first page stays', () => {
  assert.deepEqual(renewed(page(20, 1, 'c1'), page(22, 13, 'c13')), page(22, 1, 'c1'));
  assert.deepEqual(renewed(page(20, 1, null), page(20, 11, 'c11')), page(20, 1, null));
});

test('a changed item is the new one', () => {
  const item = (id: string, words: string): {id: string; words: string} => ({id, words});
  const known = {items: [item('b', 'old'), item('a', 'x')], next: null};
  const first = {items: [item('b', 'new')], next: 'b'};
  const idOf = (each: {id: string}): string => each.id;
  assert.deepEqual(renew(known, first, idOf).items, [item('b', 'new'), item('a', 'x')]);
});

test('where something would be missing in between the list begins anew', () => {
  assert.deepEqual(renewed(page(20, 1, 'c1'), page(40, 31, 'c31')), page(40, 31, 'c31'));
  assert.deepEqual(renewed(page(5, 1, null), {items: [], next: null}), {items: [], next: null});
});

test('a list does not grow without end', () => {
  const first = page(2001, 1992, 'c1992');
  assert.equal(renewed(page(2000, 1, 'c1'), first), first);
});
