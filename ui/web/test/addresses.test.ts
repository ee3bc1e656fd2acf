// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {reachable} from '../src/addresses';

test('a wildcard becomes the host of the page, anything else stays', () => {
  assert.equal(reachable('http://0.0.0.0:4318', 'ops.example'), 'http://ops.example:4318');
  assert.equal(reachable('https://[::]:4318', 'ops.example'), 'https://ops.example:4318');
  assert.equal(reachable('http://key@0.0.0.0:4318/2', '10.1.2.3'), 'http://key@10.1.2.3:4318/2');
  assert.equal(reachable('http://:4318', '[::1]'), 'http://[::1]:4318');
  assert.equal(reachable('http://127.0.0.1:4318', 'ops.example'), 'http://127.0.0.1:4318');
  assert.equal(reachable('http://[fe80::1]:4318/1', 'ops.example'), 'http://[fe80::1]:4318/1');
  assert.equal(reachable('not an address', 'ops.example'), 'not an address');
});
