// SPDX-License-Identifier: Apache-2.0
//
// Addresses of pages: reading them and writing them.

export interface Filters {
  query: string;
  project: string;
  service: string;
  environment: string;
  level: string;
  status: string;
  sort: string;
}

export const noFilters: Filters = {
  query: '',
  project: '',
  service: '',
  environment: '',
  level: '',
  status: 'unresolved',
  sort: 'last_seen',
};

export type Route =
  | {page: 'inbox'; filters: Filters}
  | {page: 'issue'; id: string; event: string | null}
  | {page: 'request'; id: string; span: string | null}
  | {page: 'feedback'; project: string}
  | {page: 'status'}
  | {page: 'projects'}
  | {page: 'project'; id: string}
  | {page: 'missing'};

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function parseRoute(pathname: string, search: string): Route {
  const query = new URLSearchParams(search);
  const [, first = '', ...rest] = pathname.split('/');
  const id = decode(rest.join('/').replace(/\/$/, ''));
  if (first === '' && rest.length === 0) return {page: 'inbox', filters: readFilters(query)};
  if (first === 'feedback' && id === '') return {page: 'feedback', project: query.get('project') ?? ''};
  if (first === 'status' && id === '') return {page: 'status'};
  if (first === 'projects') return id === '' ? {page: 'projects'} : {page: 'project', id};
  if (first === 'issues' && id) return {page: 'issue', id, event: query.get('event')};
  if (first === 'requests' && id) return {page: 'request', id, span: query.get('span')};
  return {page: 'missing'};
}

function readFilters(query: URLSearchParams): Filters {
  const filters = {...noFilters};
  for (const key of Object.keys(noFilters) as (keyof Filters)[]) filters[key] = query.get(key) ?? noFilters[key];
  return filters;
}

// What differs from the default only, so that the plain inbox is "/".
export function filterQuery(filters: Filters): string {
  const query = new URLSearchParams();
  for (const key of Object.keys(noFilters) as (keyof Filters)[]) {
    if (filters[key] !== noFilters[key]) query.set(key, filters[key]);
  }
  return query.toString();
}

export function isFiltered(filters: Filters): boolean {
  return Boolean(filters.query || filters.project || filters.service || filters.environment || filters.level);
}

export const hrefs = {
  inbox: (filters: Filters): string => '/' + (filterQuery(filters) ? '?' + filterQuery(filters) : ''),
  issue: (id: string, event?: string | null): string =>
    '/issues/' + encodeURIComponent(id) + (event ? '?event=' + encodeURIComponent(event) : ''),
  request: (id: string, span?: string | null): string =>
    '/requests/' + encodeURIComponent(id) + (span ? '?span=' + encodeURIComponent(span) : ''),
  feedback: (project: string): string => '/feedback' + (project ? '?project=' + encodeURIComponent(project) : ''),
  status: '/status',
  projects: '/projects',
  project: (slug: string): string => '/projects/' + encodeURIComponent(slug),
};

// What somebody pasted into the search box as the id it holds: a W3C traceparent, an address of Jaeger or of this page,
// or the id itself.
export function searchedId(input: string): string {
  const entered = input
    .trim()
    .replace(/^["'`]+|["'`,;]+$/g, '')
    .trim();
  const traceparent = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/i.exec(entered);
  if (traceparent) return traceparent[1]!.toLowerCase();
  const address = /^https?:\/\/[^/]+\/(?:.*\/)?(?:traces?|requests)\/([^/?#]+)/i.exec(entered);
  if (address) return decode(address[1]!);
  return /^[0-9a-f]{32}$/i.test(entered) ? entered.toLowerCase() : entered;
}
