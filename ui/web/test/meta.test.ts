// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {faultsOf, metaAt, noteOf, scrubbedPieces} from '../src/meta';

const meta = {
  request: {headers: {cookie: {'': {rem: [['@password', 'x']]}}}},
  extra: {long: {'': {len: 5000, rem: [['!limit', 's', 1, 2]]}}},
  contexts: {'': {err: ['invalid_data', ['expected', {}]]}, app: {'': {err: [['too_deep', {max: 3}]]}}},
};

test('a note is found along the path of its value', () => {
  assert.deepEqual(noteOf(metaAt(meta, 'request', 'headers', 'cookie')), {
    removed: ['@password'],
    errors: [],
    length: null,
  });
  assert.deepEqual(noteOf(metaAt(meta, 'extra', 'long')), {removed: ['!limit'], errors: [], length: 5000});
  assert.equal(noteOf(metaAt(meta, 'request', 'headers')), null);
  assert.equal(noteOf(metaAt(meta, 'request', 'headers', 'constructor', 'name')), null);
});

test('whatever is there instead of a note is none', () => {
  for (const bad of [null, 7, 'text', [], {'': 3}, {'': {rem: 'x', err: 4, len: '9'}}, {'': {rem: [null, []]}}])
    assert.equal(noteOf(metaAt(bad)), null);
});

test('faults come with their paths, in the order of the document', () => {
  assert.deepEqual(faultsOf(meta), [
    {path: 'contexts', errors: ['invalid_data', 'expected']},
    {path: 'contexts.app', errors: ['too_deep']},
  ]);
  assert.deepEqual(faultsOf(undefined), []);
});

test('marks are told from brackets that were sent', () => {
  const note = {removed: ['@password'], errors: [], length: null};
  const marks = (pieces: {text: string; isMark: boolean}[]): string[] =>
    pieces.map(piece => (piece.isMark ? '!' : '') + piece.text);
  assert.deepEqual(marks(scrubbedPieces('?token=[Filtered]&to=[email]', note)), [
    '?token=',
    '![Filtered]',
    '&to=',
    '![email]',
  ]);
  assert.deepEqual(marks(scrubbedPieces('a [list] of things', null)), ['a [list] of things']);
  assert.deepEqual(marks(scrubbedPieces('[Filtered]', null)), ['![Filtered]']);
  assert.deepEqual(marks(scrubbedPieces('nothing left', note)), ['nothing left']);
  assert.deepEqual(marks(scrubbedPieces('', note)), ['']);
});
