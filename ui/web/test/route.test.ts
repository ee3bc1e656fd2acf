// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {filterQuery, hrefs, isFiltered, noFilters, parseRoute, searchedId} from '../src/route';

test('every address that is written is read back', () => {
  const read = (address: string): ReturnType<typeof parseRoute> => {
    const url = new URL(address, 'http://localhost');
    return parseRoute(url.pathname, url.search);
  };
  const filters = {...noFilters, query: 'a b&c=d', project: 'shop', service: 'checkout', status: 'all', sort: 'count'};
  assert.deepEqual(read(hrefs.inbox(filters)), {page: 'inbox', filters});
  assert.equal(hrefs.inbox(noFilters), '/');
  assert.deepEqual(read(hrefs.issue('17', 'abc')), {page: 'issue', id: '17', event: 'abc'});
  for (const id of ['4bf92f3577b34da6a3ce929d0e0e4736', 'req/with/slashes?and=more#x', 'ünï çödé 100%', 'a&b']) {
    assert.deepEqual(read(hrefs.request(id, 's1')), {page: 'request', id, span: 's1'});
  }
  assert.deepEqual(read('/status'), {page: 'status'});
  assert.deepEqual(read(hrefs.feedback('')), {page: 'feedback', project: ''});
  assert.deepEqual(read(hrefs.feedback('my shop')), {page: 'feedback', project: 'my shop'});
});

test('what is no page is missing', () => {
  for (const path of ['/issues', '/issues/', '/requests/', '/nothing', '/status/more', '//', '/api/v1/issues']) {
    assert.equal(parseRoute(path, '').page, 'missing', path);
  }
  assert.deepEqual(parseRoute('/requests/%E0%A4%A', ''), {page: 'request', id: '%E0%A4%A', span: null});
});

test('defaults are not in the address', () => {
  assert.equal(filterQuery(noFilters), '');
  assert.equal(filterQuery({...noFilters, status: 'resolved'}), 'status=resolved');
  assert.equal(isFiltered({...noFilters, status: 'all', sort: 'count'}), false);
  assert.equal(isFiltered({...noFilters, level: 'fatal'}), true);
  assert.equal(isFiltered({...noFilters, project: 'shop'}), true);
});

test('the search box takes what people have in their clipboard', () => {
  const id = '4bf92f3577b34da6a3ce929d0e0e4736';
  for (const pasted of [
    id,
    ` ${id}\n`,
    id.toUpperCase(),
    `"${id}",`,
    `00-${id}-00f067aa0ba902b7-01`,
    `http://jaeger:16686/trace/${id}?uiEmbed=v0`,
    `http://localhost:8080/requests/${id}`,
  ]) {
    assert.equal(searchedId(pasted), id, pasted);
  }
  assert.equal(searchedId('Req-01HF8Z'), 'Req-01HF8Z');
  assert.equal(searchedId('http://localhost:8080/requests/a%2Fb'), 'a/b');
  assert.equal(searchedId('   '), '');
});
