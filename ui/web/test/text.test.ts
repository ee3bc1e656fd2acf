// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {safeLink, segments, visible, words} from '../src/text';

test('ordinary text of any script stays one piece', () => {
  for (const text of ['', 'plain', '<script>alert(1)</script>', 'naïve 日本語 עברית', '👩‍👩‍👧 family', 'می‌خواهم']) {
    assert.deepEqual(segments(text, true), text ? [{text, marker: false}] : []);
  }
});

test('control characters become code points, too', () => {
  assert.equal(visible('a\u001b[31mred\u0000'), 'a⟨001B⟩[31mred⟨0000⟩');
  assert.equal(visible('\u007f\u0085'), '⟨007F⟩⟨0085⟩');
});

test('bidirectional and invisible characters become code points', () => {
  assert.equal(visible('user\u202enimda\u202c'), 'user⟨202E⟩nimda⟨202C⟩');
  assert.equal(visible('a\u2066b\u2069\u200b\ufeff\u200f'), 'a⟨2066⟩b⟨2069⟩⟨200B⟩⟨FEFF⟩⟨200F⟩');
  assert.equal(visible('x\u{e0041}'), 'x⟨E0041⟩');
  assert.equal(visible('half \ud83d emoji'), 'half ⟨D83D⟩ emoji');
});

test('lines stay lines where they may, and are marked where not', () => {
  assert.deepEqual(segments('a\r\n\tb', false), [{text: 'a\n\tb', marker: false}]);
  assert.equal(visible('a\r\n\tb\rc'), 'a↵⇥b⟨000D⟩c');
  assert.deepEqual(segments('a\u0007b', false), [
    {text: 'a', marker: false},
    {text: '⟨0007⟩', marker: true},
    {text: 'b', marker: false},
  ]);
});

test('only http and https are links', () => {
  assert.equal(safeLink('http://127.0.0.1:16686/trace/1'), 'http://127.0.0.1:16686/trace/1');
  assert.equal(safeLink('https://example.com/'), 'https://example.com/');
  for (const bad of ['javascript:alert(1)', ' JaVaScRiPt:alert(1)', 'data:text/html,x', '/relative', '', null, 7]) {
    assert.equal(safeLink(bad), null);
  }
});

test('a name may be broken behind its separators', () => {
  assert.deepEqual(words('http.response.status_code'), ['http.', 'response.', 'status_', 'code']);
  assert.deepEqual(words('/x-y/'), ['/', 'x-', 'y/']);
  assert.deepEqual(words('host'), ['host']);
  assert.deepEqual(words(''), []);
  assert.deepEqual(words('.'.repeat(100000)), ['.'.repeat(100000)]);
});
