// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {
  bytes,
  duration,
  exact,
  localTime,
  nsToIso,
  parseTime,
  percent,
  plural,
  relativeTime,
  short,
  shortType,
  ticks,
  toBigInt,
} from '../src/format';

test('RFC 3339 with nanoseconds is read to the millisecond', () => {
  assert.equal(parseTime('2026-11-21T10:00:00.123456789Z'), Date.UTC(2026, 10, 21, 10, 0, 0, 123));
  assert.equal(parseTime('2026-11-21T10:00:00Z'), Date.UTC(2026, 10, 21, 10));
  assert.ok(Number.isNaN(parseTime('yesterday')));
  assert.ok(Number.isNaN(parseTime(null)));
});

test('nanoseconds since 1970 keep all their digits', () => {
  assert.equal(nsToIso('1763719200123456789'), '2025-11-21T10:00:00.123456789Z');
  assert.equal(nsToIso('1000000001'), '1970-01-01T00:00:01.000000001Z');
  assert.equal(toBigInt('18446744073709551615'), 18446744073709551615n);
  for (const bad of ['', '-1', '1.5', 'abc', null, undefined]) assert.equal(toBigInt(bad), 0n);
});

test('relative times', () => {
  const now = Date.UTC(2026, 10, 21, 10);
  const ago = (seconds: number): string => relativeTime(now - seconds * 1000, now);
  assert.deepEqual(
    [0, 1, 2, 59, 60, 90, 3540, 3600, 7199, 86399, 86400, 40 * 86400, 90 * 86400, 800 * 86400].map(ago),
    [
      'now',
      'now',
      '2 s ago',
      '59 s ago',
      '1 min ago',
      '2 min ago',
      '59 min ago',
      '1 h ago',
      '1 h ago',
      '23 h ago',
      '1 d ago',
      '40 d ago',
      '2 mo ago',
      '2 y ago',
    ],
  );
  assert.equal(ago(-30), 'in 30 s');
  assert.equal(relativeTime(NaN, now), '—');
});

test('a local time says its zone', () => {
  assert.match(localTime(Date.UTC(2026, 10, 21, 10, 1, 4, 7)), /^2026-11-2\d \d\d:\d1:04\.007 (UTC|[+-]\d\d:\d\d)$/);
  assert.equal(localTime(NaN), '—');
});

test('durations keep three digits in every unit', () => {
  const cases: [number, string][] = [
    [0, '0'],
    [0.000001, '1 ns'],
    [0.000812, '812 ns'],
    [0.00431, '4.31 µs'],
    [0.0999, '99.9 µs'],
    [0.9994, '999 µs'],
    [0.9996, '1.00 ms'],
    [12.34, '12.3 ms'],
    [412.3, '412 ms'],
    [999.4, '999 ms'],
    [999.6, '1.00 s'],
    [1234, '1.23 s'],
    [59990, '60.0 s'],
    [60000, '1 min 00 s'],
    [125000, '2 min 05 s'],
    [3600000, '1 h 00 min'],
    [3780000, '1 h 03 min'],
    [180000000, '2 d 2 h'],
    [-5, '-5.00 ms'],
    [NaN, '—'],
  ];
  for (const [ms, words] of cases) assert.equal(duration(ms), words, String(ms));
});

test('amounts', () => {
  assert.equal(exact(0), '0');
  assert.equal(exact(999), '999');
  assert.equal(exact(1234567), '1\u202f234\u202f567');
  assert.equal(exact(null), '—');
  assert.deepEqual([0, 999, 1000, 1234, 9949, 9950, 98765, 999499, 999500, 4500000, 2e12].map(short), [
    '0',
    '999',
    '1.0k',
    '1.2k',
    '9.9k',
    '10k',
    '99k',
    '999k',
    '1.0M',
    '4.5M',
    '2.0T',
  ]);
  assert.deepEqual([0, 1023, 1024, 1536, 104857600, 10737418240].map(bytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '100 MiB',
    '10.0 GiB',
  ]);
  assert.deepEqual(
    [percent(0, 0), percent(1, 1000), percent(999, 1000), percent(1, 2), percent(2, 2)],
    ['0 %', '<1 %', '99 %', '50 %', '100 %'],
  );
  assert.deepEqual(
    [plural(1, 'span'), plural(2, 'span'), plural(0, 'hash', 'hashes')],
    ['1 span', '2 spans', '0 hashes'],
  );
});

test('ticks are round, inside, and not too many', () => {
  assert.deepEqual(ticks(0, 1000, 5), [0, 200, 400, 600, 800, 1000]);
  assert.deepEqual(ticks(0, 412.3, 6), [0, 100, 200, 300, 400]);
  assert.deepEqual(ticks(95, 101.5, 4), [96, 98, 100]);
  assert.deepEqual(ticks(0, 0, 5), []);
  assert.deepEqual(ticks(0, 1e-6, 6), [0, 1e-6]);
  for (const length of [1e-6, 0.37, 7, 999, 123456, 8.64e7]) {
    const found = ticks(0, length, 6);
    assert.ok(found.length >= 2 && found.length <= 7, `${length}: ${found}`);
    assert.ok(found.every(tick => tick >= 0 && tick <= length * 1.000001));
  }
});

test('a long type is shown without its package', () => {
  assert.equal(shortType('ValueError'), 'ValueError');
  assert.equal(shortType('java.lang.IllegalStateException'), 'java.lang.IllegalStateException');
  assert.equal(shortType('com.example.enterprise.very.long.package.NotFoundException'), '…NotFoundException');
  assert.equal(shortType('App\\Very\\Long\\Name\\Space\\Of\\Something\\NotFound'), '…NotFound');
  assert.equal(
    shortType('cannot reach the warehouse. It may be closed today.'),
    'cannot reach the warehouse. It may be closed today.',
  );
});
