// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {hourBars} from '../src/hours';
import {keepOrder} from '../src/order';

const list = (ids: string): {id: string}[] => [...ids].map(id => ({id}));
const ids = (items: {id: string}[]): string => items.map(item => item.id).join('');

test('known rows keep their order, new ones are where they belong', () => {
  assert.equal(ids(keepOrder([...'abc'], list('cab'))), 'abc');
  assert.equal(ids(keepOrder([...'abc'], list('xcab'))), 'xabc');
  assert.equal(ids(keepOrder([...'abc'], list('cxab'))), 'abcx');
  assert.equal(ids(keepOrder([...'abc'], list('ca'))), 'ac');
  assert.equal(ids(keepOrder([], list('ab'))), 'ab');
  assert.equal(ids(keepOrder([...'abc'], [])), '');
});

test('the items are the new ones, not the old', () => {
  const now = [{id: 'a', count: 2}];
  assert.equal(keepOrder(['a'], now)[0], now[0]);
});

test('fourteen days of hours in bars of six', () => {
  const now = Date.UTC(2026, 10, 21, 10, 30);
  const at = (hoursAgo: number): string => new Date(Date.UTC(2026, 10, 21, 10) - hoursAgo * 3600000).toISOString();
  const bars = hourBars(
    [
      {time: at(0), count: 1},
      {time: at(5), count: 2},
      {time: at(6), count: 4},
      {time: at(14 * 24 - 1), count: 8},
      {time: at(14 * 24), count: 16},
      {time: 'no time', count: 32},
    ],
    now,
  );
  assert.equal(bars.length, 56);
  assert.deepEqual([bars[55]!.count, bars[54]!.count, bars[0]!.count], [3, 4, 8]);
  assert.equal(
    bars.reduce((sum, bar) => sum + bar.count, 0),
    15,
  );
});
