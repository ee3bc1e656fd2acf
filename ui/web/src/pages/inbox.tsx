// SPDX-License-Identifier: Apache-2.0
//
// The recent errors. The address holds the filters; the list renews itself every two seconds.
//
// Losing one's place would be worse than a list a moment old: rows keep their identity, what is under the pointer or
// selected stays where it is on the screen, and while the pointer or the keyboard is busy in the list only new rows and
// changed numbers appear, known rows do not change their order.
import {useLayoutEffect, useRef} from 'preact/hooks';
import {ApiError, paths, setIssueStatus, type Issue, type IssueList, type IssueStatus, type Status} from '../api';
import {plural} from '../format';
import {useKeys, usePolled} from '../hooks';
import {navigate, replace, restoreScroll} from '../navigation';
import {Failure, Loading, Stale} from '../parts/notice';
import {MergeBar, useChoice, type Choice} from '../parts/merge';
import {toast, toastFailure} from '../parts/toast';
import {filterQuery, hrefs, isFiltered, noFilters, type Filters} from '../route';
import {AllClear, FirstSteps} from './first_steps';
import {FilterBar} from './inbox_filters';
import {useAnchor, useCalmOrder, useIssues, useRowFocus, type Calm, type Issues, type RowFocus} from './inbox_list';
import {Row} from './inbox_row';

const done: Record<IssueStatus, string> = {resolved: 'Resolved', muted: 'Muted', unresolved: 'Reopened'};

type Change = (issue: Issue, status: IssueStatus) => Promise<void>;

// Changes an issue in the list at once and then on the server, with a way back.
function useChange(filters: Filters, issues: Issues, calm: Calm): Change {
  const change = async (issue: Issue, status: IssueStatus, isUndo: boolean): Promise<void> => {
    const previous = issue.status;
    if (previous === status) return;
    calm.touch();
    const leaves = filters.status !== 'all' && filters.status !== status;
    const takeBack = issues.change(each => (each.id !== issue.id ? each : leaves ? null : {...each, status}));
    try {
      await setIssueStatus(issue.id, status);
      toast(
        `${done[status]} ${issue.short_id}`,
        isUndo ? undefined : () => void change({...issue, status}, previous, true),
      );
    } catch (failure) {
      takeBack();
      toastFailure(`${issue.short_id} was not changed: ${(failure as ApiError).message}`);
    }
    issues.refresh();
  };
  return (issue, status) => change(issue, status, false);
}

export function Inbox({filters}: {filters: Filters}) {
  const query = filterQuery(filters);
  const issues = useIssues(query);
  const calm = useCalmOrder(issues.issues, query);
  const body = useRef<HTMLTableSectionElement>(null);
  useAnchor(body, calm.shown);
  const focus = useRowFocus(body, calm.shown);
  const change = useChange(filters, issues, calm);
  const {list, error, refresh} = issues;
  const {shown} = calm;
  const choice = useChoice(shown, query);

  const unresolved = filters.status === 'unresolved' ? shown.length : 0;
  document.title = (unresolved ? `(${unresolved}${issues.next ? '+' : ''}) ` : '') + 'Errors · culprit';
  const ready = list !== null;
  useLayoutEffect(() => {
    if (ready) restoreScroll();
  }, [ready]);

  return (
    <>
      <h1 class="offscreen">Recent errors</h1>
      <FilterBar filters={filters} list={list} />
      {list ? <Stale error={error} /> : null}
      {!list && error ? (
        <Failure error={error} title="The errors could not be loaded">
          <button type="button" onClick={refresh}>
            Try again
          </button>{' '}
          {isFiltered(filters) ? <ClearFilter filters={filters} /> : null}
        </Failure>
      ) : null}
      {!list && issues.loading ? <Loading what="errors" /> : null}
      {list && shown.length === 0 ? <Empty filters={filters} list={list} /> : null}
      {shown.length > 0 ? (
        <Table filters={filters} body={body} calm={calm} focus={focus} change={change} choice={choice} />
      ) : null}
      <MergeBar choice={choice} onDone={refresh} />
      {issues.next ? (
        <p class="more">
          <button type="button" disabled={issues.loadingMore} onClick={issues.loadMore}>
            Show more
          </button>
        </p>
      ) : null}
      {shown.length > 0 ? (
        <p class="foot dim">
          {plural(shown.length, 'error')}
          {issues.next ? ', there are more' : ''} · renews itself
          <span class="hint">
            {' '}
            · <kbd>?</kbd> for keys
          </span>
        </p>
      ) : null}
    </>
  );
}

function Sorted({filters, sort, className, title}: {filters: Filters; sort: string; className: string; title: string}) {
  const current = filters.sort === sort;
  return (
    <th scope="col" class={className} aria-sort={current ? 'descending' : undefined}>
      <button
        type="button"
        title={`Sort by ${title.toLowerCase()}`}
        onClick={() => replace(hrefs.inbox({...filters, sort}))}
      >
        {title}
        {current ? <span aria-hidden="true"> ↓</span> : null}
      </button>
    </th>
  );
}

function Table({
  filters,
  body,
  calm,
  focus,
  change,
  choice,
}: {
  filters: Filters;
  body: {current: HTMLTableSectionElement | null};
  calm: Calm;
  focus: RowFocus;
  change: Change;
  choice: Choice;
}) {
  const move = (by: number) => (): void => {
    calm.touch();
    focus.move(by);
  };
  const changeSelected = (status: IssueStatus) => (): void => {
    const issue = focus.selected();
    if (issue) void change(issue, status);
  };
  const open = (): void => {
    const issue = focus.selected();
    if (issue) navigate(hrefs.issue(issue.id));
  };
  useKeys({
    j: move(1),
    k: move(-1),
    Enter: open,
    o: open,
    e: changeSelected('resolved'),
    m: changeSelected('muted'),
    u: changeSelected('unresolved'),
    x: () => {
      const issue = focus.selected();
      calm.touch();
      if (issue) choice.toggle(issue);
    },
  });
  const onArrow = (event: KeyboardEvent): void => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    event.preventDefault();
    move(event.key === 'ArrowDown' ? 1 : -1)();
  };
  return (
    <table class="issues" onPointerMove={calm.touch} onKeyDown={onArrow}>
      <thead>
        <tr>
          <th scope="col">Error</th>
          <th scope="col">24 hours</th>
          <Sorted filters={filters} sort="count" className="number" title="Events" />
          <Sorted filters={filters} sort="last_seen" className="when" title="Last seen" />
          <Sorted filters={filters} sort="first_seen" className="when" title="First seen" />
          <th scope="col">
            <span class="offscreen">Change</span>
          </th>
        </tr>
      </thead>
      <tbody ref={body}>
        {calm.shown.map(issue => (
          <Row key={issue.id} issue={issue} fresh={calm.fresh.has(issue.id)} choice={choice} onChange={change} />
        ))}
      </tbody>
    </table>
  );
}

function ClearFilter({filters}: {filters: Filters}) {
  const cleared = hrefs.inbox({...noFilters, status: filters.status, sort: filters.sort});
  return (
    <button type="button" onClick={() => replace(cleared)}>
      Clear the filter
    </button>
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
        <p>
          <ClearFilter filters={filters} />
        </p>
      </div>
    );
  }
  const issues = status ? status.store.issues : list.services.length;
  if (filters.status !== 'unresolved' && issues > 0) {
    return (
      <div class="empty">
        <h2>No {filters.status === 'all' ? '' : filters.status} errors</h2>
      </div>
    );
  }
  return issues > 0 ? <AllClear status={status} /> : <FirstSteps status={status} />;
}
