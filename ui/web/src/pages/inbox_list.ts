// SPDX-License-Identifier: Apache-2.0
//
// The list behind the inbox: which issues there are, in which order they are shown, and which of them has the focus.
import {useEffect, useLayoutEffect, useMemo, useRef, useState} from 'preact/hooks';
import {ask, ApiError, paths, type Issue, type IssueList} from '../api';
import {usePolled} from '../hooks';
import {keepOrder} from '../order';
import {toastFailure} from '../parts/toast';

const pollMs = 2000;
const pageSize = 50;
const pageMax = 200; // the API's limit; what is beyond is in pages of its own
const walkMs = 10000; // those are renewed this often
const busyMs = 4000;

export interface Issues {
  list: IssueList | null;
  issues: Issue[] | null; // of all pages
  next: string | null;
  error: ApiError | null;
  loading: boolean;
  loadingMore: boolean;
  loadMore: () => Promise<void>;
  refresh: () => void;
  // Until the server says so itself; null: out of the list. Returns the way back.
  change: (each: (issue: Issue) => Issue | null) => () => void;
}

interface More {
  query: string;
  issues: Issue[];
  next: string | null;
  pages: number; // how many they came in
}

// Up to so many pages from `cursor` on.
async function walkPages(
  query: string,
  cursor: string | null,
  pages: number,
): Promise<{issues: Issue[]; next: string | null}> {
  const issues: Issue[] = [];
  let next = cursor;
  for (let page = 0; page < pages && next !== null; page++) {
    const parameters = new URLSearchParams(query);
    parameters.set('limit', String(pageMax));
    parameters.set('cursor', next);
    const answer: IssueList = await ask<IssueList>(paths.issues(parameters.toString()));
    issues.push(...answer.issues);
    next = answer.next;
  }
  return {issues, next};
}

export function useIssues(query: string): Issues {
  const [limit, setLimit] = useState(pageSize);
  const [more, setMore] = useState<More | null>(null);
  const changes = useRef(0);
  const [loadingMore, setLoadingMore] = useState(false);
  const parameters = new URLSearchParams(query);
  parameters.set('limit', String(limit));
  const {data, error, loading, refresh, put} = usePolled<IssueList>(paths.issues(parameters.toString()), pollMs);
  const before = useRef<{query: string; data: IssueList} | null>(null);
  if (data) before.current = {query, data};
  // While more of the same list is on its way, what there was of it.
  const list = data ?? (before.current?.query === query ? before.current.data : null);
  const extra = more?.query === query ? more : null;
  const issues = useMemo(() => {
    if (!list) return null;
    const known = new Set(list.issues.map(issue => issue.id));
    return [...list.issues, ...(extra?.issues ?? []).filter(issue => !known.has(issue.id))];
  }, [list, extra]);
  const next = extra ? extra.next : (list?.next ?? null);

  const loadMore = async (): Promise<void> => {
    if (limit < pageMax) {
      setLimit(Math.min(pageMax, limit + pageSize));
      return;
    }
    setLoadingMore(true);
    try {
      parameters.set('cursor', next!);
      const page = await ask<IssueList>(paths.issues(parameters.toString()));
      const before = extra ?? {issues: [], pages: 0};
      setMore({query, issues: [...before.issues, ...page.issues], next: page.next, pages: before.pages + 1});
    } catch (failure) {
      toastFailure((failure as ApiError).message);
    }
    setLoadingMore(false);
  };
  // Only while somebody looks; what was changed meanwhile is newer than the answers.
  const firstEnd = useRef<string | null>(null);
  firstEnd.current = list?.next ?? null;
  const pages = extra?.pages ?? 0;
  useEffect(() => {
    if (pages === 0) return undefined;
    let ended = false;
    const walk = async (): Promise<void> => {
      if (document.visibilityState !== 'visible') return;
      const before = changes.current;
      const found = await walkPages(query, firstEnd.current, pages).catch(() => null);
      if (found && !ended && changes.current === before) setMore({query, pages, ...found});
    };
    const timer = setInterval(() => void walk(), walkMs);
    return () => {
      ended = true;
      clearInterval(timer);
    };
  }, [query, pages]);
  const change = (each: (issue: Issue) => Issue | null): (() => void) => {
    const back = {data, more};
    changes.current++;
    const changed = (all: Issue[]): Issue[] => all.map(each).filter((issue): issue is Issue => issue !== null);
    put(now => ({...now, issues: changed(now.issues)}));
    setMore(now => now && {...now, issues: changed(now.issues)});
    return () => {
      put(now => back.data ?? now);
      setMore(back.more);
    };
  };
  return {list, issues, next, error, loading, loadingMore: loadingMore || !data, loadMore, refresh, change};
}

export interface Calm {
  shown: Issue[];
  fresh: ReadonlySet<string>; // ids that were not there before
  touch: () => void; // the reader is busy in the list
}

// The issues in the server's order, or while the reader is busy in the list in the order that they know.
export function useCalmOrder(issues: Issue[] | null, query: string): Calm {
  const last = useRef<{query: string | null; order: string[]; seen: Set<string>}>({
    query: null,
    order: [],
    seen: new Set(),
  });
  const touched = useRef(-busyMs);
  const touch = (): void => void (touched.current = performance.now());
  const {shown, fresh} = useMemo(() => {
    if (!issues) return {shown: [], fresh: new Set<string>()};
    const {order, seen} = last.current;
    const same = last.current.query === query;
    const now = same && performance.now() - touched.current < busyMs ? keepOrder(order, issues) : issues;
    last.current = {
      query,
      order: now.map(issue => issue.id),
      seen: new Set([...(same ? seen : []), ...issues.map(issue => issue.id)]),
    };
    return {shown: now, fresh: new Set(same ? issues.filter(issue => !seen.has(issue.id)).map(issue => issue.id) : [])};
  }, [issues, query]);
  return {shown, fresh, touch};
}

type Body = {current: HTMLTableSectionElement | null};

function rowsOf(body: Body): HTMLTableRowElement[] {
  return [...(body.current?.rows ?? [])];
}

// Keeps the row that the reader looks at where it is on the screen, whatever is put above it.
export function useAnchor(body: Body, shown: Issue[]): void {
  const anchor = useRef<{id: string; top: number} | null>(null);
  const before = useRef<Issue[] | null>(null);
  if (before.current !== shown) {
    const rows = rowsOf(body);
    const focused = rows.find(row => row.contains(document.activeElement));
    const chosen = focused ?? rows.find(row => row.getBoundingClientRect().top >= 0);
    anchor.current =
      chosen && window.scrollY > 0 ? {id: chosen.dataset['issue']!, top: chosen.getBoundingClientRect().top} : null;
    before.current = shown;
  }
  useLayoutEffect(() => {
    const row = rowsOf(body).find(each => each.dataset['issue'] === anchor.current?.id);
    const moved = row ? row.getBoundingClientRect().top - anchor.current!.top : 0;
    if (moved !== 0) window.scrollBy(0, moved);
    anchor.current = null;
  }, [shown]);
}

export interface RowFocus {
  selected: () => Issue | null;
  move: (by: number) => void;
}

// The focused row. A row that moves in the list, or goes out of it, would take the focus with it: it is brought back,
// to the next row if need be.
export function useRowFocus(body: Body, shown: Issue[]): RowFocus {
  const id = useRef<string | null>(null);
  const index = useRef(0);
  const focused = rowsOf(body).find(row => row.contains(document.activeElement));
  const hadFocus = useRef(false);
  hadFocus.current = focused !== undefined;
  if (focused) {
    id.current = focused.dataset['issue']!;
    const at = shown.findIndex(issue => issue.id === id.current);
    if (at >= 0) index.current = at;
  }
  const focus = (at: number): void => {
    const issue = shown[Math.max(0, Math.min(shown.length - 1, at))];
    const row = issue && rowsOf(body).find(each => each.dataset['issue'] === issue.id);
    if (!row) return;
    id.current = issue.id;
    row.querySelector<HTMLElement>('a.title')!.focus({preventScroll: true});
    row.scrollIntoView({block: 'nearest'});
  };
  const selectedIndex = (): number => {
    const row = rowsOf(body).find(each => each.contains(document.activeElement));
    if (row) id.current = row.dataset['issue']!;
    return shown.findIndex(issue => issue.id === id.current);
  };
  useLayoutEffect(() => {
    if (!hadFocus.current || body.current?.contains(document.activeElement)) return;
    const at = shown.findIndex(issue => issue.id === id.current);
    focus(at >= 0 ? at : index.current);
  });
  return {
    selected: () => shown[selectedIndex()] ?? null,
    move: by => {
      const at = selectedIndex();
      focus(at < 0 ? 0 : at + by);
    },
  };
}
