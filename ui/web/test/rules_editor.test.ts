// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {errorOf} from '../src/api';
import {offsetOf} from '../src/parts/rules_editor';

test('a place in a text, lines and characters from 1', () => {
  const text = 'one\n\u{1f600}two\n\nlast';
  assert.equal(offsetOf(text, 1, 1), 0);
  assert.equal(offsetOf(text, 1, 9), 3);
  assert.equal(offsetOf(text, 2, 2), 6); // the face is two units
  assert.equal(offsetOf(text, 4, 3), 13);
  assert.equal(offsetOf(text, 9, 1), text.length);
});

test('an error says its place where it has one', () => {
  const error = errorOf(400, '{"error":{"message":"bad rule","field":"settings.enhancements","line":3,"column":7}}');
  assert.deepEqual([error.message, error.field, error.line, error.column], ['bad rule', 'settings.enhancements', 3, 7]);
  assert.deepEqual(
    [errorOf(500, 'x').line, errorOf(400, '{"error":{"status":"invalid","line":"3"}}').line],
    [null, null],
  );
});
