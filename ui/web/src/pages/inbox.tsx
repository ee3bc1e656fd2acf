// SPDX-License-Identifier: Apache-2.0
//
// The recent errors. The address holds the filters; the list renews itself every two seconds.
//
// Losing one's place would be worse than a list a moment old: rows keep their identity, what is under the pointer or
// selected stays where it is on the screen, and while the pointer or the keyboard is busy in the list only new rows and
// changed numbers appear, known rows do not change their order.
import {useEffect, useLayoutEffect, useMemo, useRef, useState} from 'preact/hooks';
import {ask, ApiError, paths, setIssueStatus, type Issue, type IssueList, type IssueStatus, type Status} from '../api';
import {plural, short} from '../format';
import {useKeys, usePolled} from '../hooks';
import {navigate, replace, restoreScroll} from '../navigation';
import {keepOrder} from '../order';
import {Icon} from '../parts/icon';
import {levelClass, StatusBadge} from '../parts/level';
import {Failure, Loading, Stale} from '../parts/notice';
import {Sparkline} from '../parts/sparkline';
import {Text} from '../parts/text';
import {Ago} from '../parts/time';
import {toast, toastFailure} from '../parts/toast';
import {filterQuery, hrefs, isFiltered, noFilters, type Filters} from '../route';
import {visible} from '../text';
import {AllClear, FirstSteps} from './first_steps';

const pollMs = 2000;
const pageSize = 50;
const pageMax = 200; // the API's limit; what is beyond is loaded once and not renewed
const busyMs = 4000;

const statuses: [string, string][] = [['unresolved', 'Unresolved'], ['resolved', 'Resolved'], ['muted', 'Muted'], ['all', 'All']];
const levels = ['fatal', 'error', 'warning', 'info', 'debug'];
const done: Record<IssueStatus, string> = {resolved: 'Resolved', muted: 'Muted', unresolved: 'Reopened'};

function FilterBar({filters, list}: {filters: Filters; list: IssueList | null}) {
  const input = useRef<HTMLInputElement>(null);
  const [query, setQuery] = useState(filters.query);
  const sent = useRef(filters.query);
  useKeys({f: () => input.current?.select()});
  const set = (change: Partial<Filters>): void => replace(hrefs.inbox({...filters, ...change}));
  useEffect(() => {
    if (filters.query !== sent.current) {
      sent.current = filters.query; // changed from outside: back, or "clear"
      setQuery(filters.query);
    }
  }, [filters.query]);
  useEffect(() => {
    if (query === sent.current) return undefined;
    const timer = setTimeout(() => {
      sent.current = query;
      set({query});
    }, 200);
    return () => clearTimeout(timer);
  });
  const choice = (name: 'service' | 'environment' | 'level', all: string, known: string[]) => (
    <select aria-label={`Filter by ${name}`} value={filters[name]} class={filters[name] ? 'set' : ''}
      onChange={event => set({[name]: event.currentTarget.value})}>
      <option value="">{all}</option>
      {(filters[name] && !known.includes(filters[name]) ? [filters[name], ...known] : known)
        .map(value => <option key={value} value={value}>{visible(value)}</option>)}
    </select>
  );
  return (
    <div class="filters">
      <div class="tabs" role="group" aria-label="Status">
        {statuses.map(([status, label]) => (
          <button key={status} type="button" aria-pressed={filters.status === status} onClick={() => set({status})}>{label}</button>
        ))}
      </div>
      <input ref={input} class="text-filter" type="search" value={query} placeholder="Filter: text, or tag:value" aria-label="Filter by text or tag"
        spellcheck={false} autocomplete="off" maxLength={200} onInput={event => setQuery(event.currentTarget.value)} />
      {choice('service', 'All services', list?.services ?? [])}
      {choice('environment', 'All environments', list?.environments ?? [])}
      {choice('level', 'All levels', levels)}
      <select class="sort" aria-label="Sort" value={filters.sort} onChange={event => set({sort: event.currentTarget.value})}>
        <option value="last_seen">Last seen first</option>
        <option value="first_seen">Newest first</option>
        <option value="count">Most events first</option>
      </select>
    </div>
  );
}

function Actions({issue, onChange}: {issue: Issue; onChange: (issue: Issue, status: IssueStatus) => void}) {
  const button = (status: IssueStatus, icon: 'check' | 'mute' | 'undo', label: string) => (
    <button type="button" class="icon-button" title={label} aria-label={`${label} ${issue.short_id}`} onClick={() => onChange(issue, status)}>
      <Icon name={icon} />
    </button>
  );
  return (
    <span class="row-actions">
      {issue.status === 'unresolved' ? <>{button('resolved', 'check', 'Resolve')}{button('muted', 'mute', 'Mute')}</>
        : button('unresolved', 'undo', 'Reopen')}
    </span>
  );
}

interface RowProps {
  issue: Issue;
  fresh: boolean;
  onChange: (issue: Issue, status: IssueStatus) => void;
}

function Row({issue, fresh, onChange}: RowProps) {
  const services = issue.services.slice(0, 2);
  const type = issue.type || issue.title;
  return (
    <tr data-issue={issue.id} class={`issue ${levelClass(issue.level)}${fresh ? ' fresh' : ''}`}>
      <td class="what">
        <a class="title" href={hrefs.issue(issue.id)}>
          <strong><Text text={type} /></strong>
          {issue.type && issue.value ? <span class="value"><Text text={issue.value} /></span> : null}
        </a>
        <div class="sub">
          <StatusBadge status={issue.status} substatus={issue.substatus} />
          {issue.level !== 'error' ? <span class={'badge ' + levelClass(issue.level)}><Text text={issue.level} /></span> : null}
          <span class="services">
            {services.map(service => <span key={service} class="service"><Text text={service} /></span>)}
            {issue.services.length > 2 ? <span class="dim" title={issue.services.map(visible).join(', ')}>+{issue.services.length - 2}</span> : null}
          </span>
          {issue.culprit ? <span class="culprit"><Text text={issue.culprit} /></span> : null}
          <span class="dim short-id"><Text text={issue.short_id} /></span>
        </div>
      </td>
      <td class="spark"><Sparkline counts={issue.sparkline} /></td>
      <td class="number" title={plural(issue.count, 'event')}>{short(issue.count)}<span class="unit">{issue.count === 1 ? ' event' : ' events'}</span></td>
      <td class="when"><span class="unit">last </span><Ago time={issue.last_seen} /></td>
      <td class="when"><span class="unit">first </span><Ago time={issue.first_seen} /></td>
      <td class="actions"><Actions issue={issue} onChange={onChange} /></td>
    </tr>
  );
}

// Keeps the row that the reader looks at where it is on the screen, whatever is put above it.
function useAnchor(body: {current: HTMLTableSectionElement | null}, list: unknown): void {
  const anchor = useRef<{id: string; top: number} | null>(null);
  const before = useRef<unknown>(null);
  if (before.current !== list && body.current) {
    const rows = [...body.current.rows];
    const focused = rows.find(row => row.contains(document.activeElement));
    const chosen = focused ?? (window.scrollY > 0 ? rows.find(row => row.getBoundingClientRect().top >= 0) : undefined);
    anchor.current = chosen ? {id: chosen.dataset['issue']!, top: chosen.getBoundingClientRect().top} : null;
    before.current = list;
  }
  useLayoutEffect(() => {
    if (!anchor.current || !body.current) return;
    const row = [...body.current.rows].find(each => each.dataset['issue'] === anchor.current!.id);
    const moved = row ? row.getBoundingClientRect().top - anchor.current.top : 0;
    if (moved !== 0 && window.scrollY > 0) window.scrollBy(0, moved);
    anchor.current = null;
  }, [list]);
}

// The issues to show, in a calm order, and which of them were not there before.
function useCalmOrder(issues: Issue[] | null, address: string, busy: () => boolean): {shown: Issue[]; fresh: ReadonlySet<string>} {
  const last = useRef<{address: string | null; order: string[]; seen: Set<string>}>({address: null, order: [], seen: new Set()});
  return useMemo(() => {
    const mine = last.current;
    if (!issues) return {shown: [], fresh: new Set<string>()};
    const same = mine.address === address;
    const shown = same && busy() ? keepOrder(mine.order, issues) : issues;
    const fresh = new Set(same ? issues.filter(issue => !mine.seen.has(issue.id)).map(issue => issue.id) : []);
    last.current = {
      address,
      order: shown.map(issue => issue.id),
      seen: new Set([...(same ? mine.seen : []), ...issues.map(issue => issue.id)]),
    };
    return {shown, fresh};
  }, [issues, address]);
}

export function Inbox({filters}: {filters: Filters}) {
  const [limit, setLimit] = useState(pageSize);
  const [more, setMore] = useState<{query: string; issues: Issue[]; next: string | null} | null>(null);
  const [loadingMore, setLoadingMore] = useState(false);
  const query = filterQuery(filters);
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

  const body = useRef<HTMLTableSectionElement>(null);
  const touched = useRef(-busyMs);
  const touch = (): void => void (touched.current = performance.now());
  const {shown, fresh} = useCalmOrder(issues, query, () => performance.now() - touched.current < busyMs);
  useAnchor(body, shown);

  const selected = useRef<string | null>(null);
  const rowOf = (id: string | null): HTMLElement | null =>
    [...(body.current?.rows ?? [])].find(row => row.dataset['issue'] === id) ?? null;
  const focusRow = (index: number): void => {
    const issue = shown[Math.max(0, Math.min(shown.length - 1, index))];
    const row = issue ? rowOf(issue.id) : null;
    if (!issue || !row) return;
    selected.current = issue.id;
    row.querySelector<HTMLElement>('a.title')!.focus({preventScroll: true});
    row.scrollIntoView({block: 'nearest'});
    touch();
  };
  const selectedIndex = (): number => {
    const row = (document.activeElement as HTMLElement | null)?.closest<HTMLElement>('tr.issue');
    if (row) selected.current = row.dataset['issue']!;
    return shown.findIndex(issue => issue.id === selected.current);
  };
  // A row that moves in the list, or goes out of it, takes the focus with it: bring it back.
  const hadFocus = useRef(false);
  const lastIndex = useRef(0);
  hadFocus.current = Boolean(body.current?.contains(document.activeElement));
  if (hadFocus.current && selectedIndex() >= 0) lastIndex.current = selectedIndex();
  useLayoutEffect(() => {
    if (!hadFocus.current || body.current?.contains(document.activeElement)) return;
    const at = shown.findIndex(issue => issue.id === selected.current);
    focusRow(at >= 0 ? at : lastIndex.current);
  });

  const change = async (issue: Issue, status: IssueStatus, isUndo = false): Promise<void> => {
    const previous = issue.status;
    if (previous === status) return;
    touch();
    const gone = filters.status !== 'all' && filters.status !== status;
    put(data => ({
      ...data,
      issues: gone ? data.issues.filter(each => each.id !== issue.id)
        : data.issues.map(each => (each.id === issue.id ? {...each, status} : each)),
    }));
    setMore(now => now && {...now, issues: now.issues.filter(each => each.id !== issue.id)});
    try {
      await setIssueStatus(issue.id, status);
      toast(`${done[status]} ${issue.short_id}`, isUndo ? undefined : () => void change({...issue, status}, previous, true));
    } catch (failure) {
      toastFailure(`${issue.short_id} was not changed: ${(failure as ApiError).message}`);
    }
    refresh();
  };
  const changeSelected = (status: IssueStatus) => (): void => {
    const issue = shown[selectedIndex()];
    if (issue) void change(issue, status);
  };
  const move = (by: number) => (): void => {
    const at = selectedIndex();
    focusRow(at < 0 ? 0 : at + by);
  };
  const open = (): void => {
    const issue = shown[selectedIndex()];
    if (issue) navigate(hrefs.issue(issue.id));
  };
  useKeys({
    j: move(1), k: move(-1), Enter: open, o: open,
    e: changeSelected('resolved'), m: changeSelected('muted'), u: changeSelected('unresolved'),
  });

  const next = extra ? extra.next : list?.next ?? null;
  const loadMore = async (): Promise<void> => {
    if (limit < pageMax) {
      setLimit(Math.min(pageMax, limit + pageSize));
      return;
    }
    setLoadingMore(true);
    try {
      parameters.set('cursor', next!);
      const page = await ask<IssueList>(paths.issues(parameters.toString()));
      setMore({query, issues: [...(extra?.issues ?? []), ...page.issues], next: page.next});
    } catch (failure) {
      toastFailure((failure as ApiError).message);
    }
    setLoadingMore(false);
  };

  const unresolved = filters.status === 'unresolved' ? shown.length : 0;
  document.title = (unresolved ? `(${unresolved}${next ? '+' : ''}) ` : '') + 'Errors · culprit';
  const ready = list !== null;
  useLayoutEffect(() => {
    if (ready) restoreScroll();
  }, [ready]);

  return (
    <>
      <h1 class="offscreen">Recent errors</h1>
      <FilterBar filters={filters} list={list} />
      {list ? <Stale error={error} /> : null}
      {!list && error ? <Failure error={error} title="The errors could not be loaded"><button type="button" onClick={refresh}>Try again</button></Failure> : null}
      {!list && loading ? <Loading what="errors" /> : null}
      {list && shown.length === 0 ? <Empty filters={filters} list={list} /> : null}
      {shown.length > 0 ? (
        <table class="issues" onPointerMove={touch} onKeyDown={event => {
          if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
          event.preventDefault();
          move(event.key === 'ArrowDown' ? 1 : -1)();
        }}>
          <thead>
            <tr><th scope="col">Error</th><th scope="col">24 hours</th><th scope="col" class="number">Events</th>
              <th scope="col" class="when">Last seen</th><th scope="col" class="when">First seen</th><th scope="col"><span class="offscreen">Change</span></th></tr>
          </thead>
          <tbody ref={body}>
            {shown.map(issue => <Row key={issue.id} issue={issue} fresh={fresh.has(issue.id)} onChange={change} />)}
          </tbody>
        </table>
      ) : null}
      {list && next ? <p class="more"><button type="button" disabled={loadingMore || !data} onClick={loadMore}>Show more</button></p> : null}
      {list && shown.length > 0 ? (
        <p class="foot dim">{plural(shown.length, 'error')}{next ? ', there are more' : ''} · renews itself · <kbd>?</kbd> for keys</p>
      ) : null}
    </>
  );
}

// Nothing to show: because nothing was ever sent, because all is well, or because of a filter.
function Empty({filters, list}: {filters: Filters; list: IssueList}) {
  const {data: status} = usePolled<Status>(paths.status, 5000);
  if (isFiltered(filters)) {
    return (
      <div class="empty">
        <h2>No error matches</h2>
        <p>Among the {filters.status === 'all' ? '' : filters.status} errors there is none with this filter.</p>
        <p><button type="button" onClick={() => replace(hrefs.inbox({...noFilters, status: filters.status, sort: filters.sort}))}>Clear the filter</button></p>
      </div>
    );
  }
  const issues = status ? status.store.issues : list.services.length;
  if (filters.status !== 'unresolved' && issues > 0) {
    return <div class="empty"><h2>No {filters.status === 'all' ? '' : filters.status} errors</h2></div>;
  }
  return issues > 0 ? <AllClear status={status} /> : <FirstSteps status={status} />;
}
