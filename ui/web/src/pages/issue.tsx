// SPDX-License-Identifier: Apache-2.0
//
// One issue with one of its events: the newest, or the one in the address.
import type {ComponentChildren} from 'preact';
import {useLayoutEffect, useState} from 'preact/hooks';
import {
  ApiError,
  paths,
  setIssueStatus,
  tagValuesMax,
  type EventDetail,
  type IssueDetail,
  type IssueStatus,
} from '../api';
import {exact, localTime, parseTime, plural} from '../format';
import {useKeys, usePolled} from '../hooks';
import {eventMarkdown} from '../markdown';
import {navigate, replace, restoreScroll} from '../navigation';
import {CopyButton} from '../parts/copy';
import {Grouping} from '../parts/grouping';
import {Hashes} from '../parts/hashes';
import {Icon} from '../parts/icon';
import {Level, StatusBadge} from '../parts/level';
import {Failure, Loading, Stale} from '../parts/notice';
import {Text} from '../parts/text';
import {Ago} from '../parts/time';
import {toast, toastFailure} from '../parts/toast';
import {hrefs} from '../route';
import {visible} from '../text';
import {EventBody} from './issue_event';
import {Charts, Events, History, Tags} from './issue_facts';
import {Highlights} from './issue_highlights';
import {IssueFeedback} from './issue_items';
import {AroundIt} from './issue_request';
import type {StackView} from './issue_stack';

const pollMs = 3000;
const severalShown = 3;

export function IssuePage({id, eventId}: {id: string; eventId: string | null}) {
  const {data: issue, error, loading, refresh, put} = usePolled<IssueDetail>(paths.issue(id), pollMs);
  // The newest when the page was opened: it stays while newer ones come.
  const [latest, setLatest] = useState<string | null>(null);
  const shownLatest = latest ?? issue?.latest_event ?? issue?.first_event ?? null;
  if (latest === null && shownLatest) setLatest(shownLatest);
  const shown = eventId ?? shownLatest;
  const [view, setView] = useState<StackView>('relevant');
  const event = usePolled<EventDetail>(shown ? paths.event(shown) : null, 0);

  const change = async (status: IssueStatus): Promise<void> => {
    if (!issue || issue.status === status) return;
    const previous = issue.status;
    put(now => ({...now, status, substatus: null}));
    try {
      await setIssueStatus(id, status);
      toast(`${issue.short_id} is ${status} now`, () => void setIssueStatus(id, previous).then(refresh, refresh));
    } catch (failure) {
      put(now => ({...now, status: previous, substatus: issue.substatus}));
      toastFailure(`${issue.short_id} was not changed: ${(failure as ApiError).message}`);
    }
    refresh();
  };
  const goTo = (to: string | null | undefined): void => {
    if (to) navigate(hrefs.issue(id, to));
  };
  const request = event.data ? event.data.request_id || event.data.trace_id : null;
  useKeys({
    e: () => void change('resolved'),
    m: () => void change('muted'),
    u: () => void change('unresolved'),
    j: () => goTo(event.data?.previous),
    k: () => goTo(event.data?.next),
    o: () => request && navigate(hrefs.request(request, event.data?.span_id)),
  });
  document.title = (issue ? visible(issue.title) : 'Error') + ' · culprit';
  // A merged error's address leads to what it is a part of now.
  const moved = issue !== null && issue.id !== id ? hrefs.issue(issue.id, eventId ?? undefined) : null;
  useLayoutEffect(() => {
    if (moved) replace(moved);
  }, [moved]);
  const ready = issue !== null;
  useLayoutEffect(() => {
    if (ready) restoreScroll();
  }, [ready]);

  if (!issue) {
    if (loading) return <Loading what="the error" />;
    return (
      <Failure error={error!} title={error?.code === 404 ? 'There is no such error' : 'The error could not be loaded'}>
        <p>
          <a href="/">To the errors</a>{' '}
          <button type="button" onClick={refresh}>
            Try again
          </button>
        </p>
      </Failure>
    );
  }
  return (
    <article class="issue-page">
      <Stale error={error} />
      <Head issue={issue} onChange={change} />
      <EventBar
        issue={issue}
        event={event.data}
        shown={shown}
        newer={issue.latest_event !== shownLatest && !eventId ? issue.latest_event : null}
      />
      {event.data ? <Highlights issue={issue} event={event.data} /> : null}
      <div class="columns">
        <div class="wide">
          {event.data ? (
            <EventBody
              key={event.data.event_id}
              event={event.data}
              said={issue.type ? (issue.value ?? null) : issue.title}
              view={view}
              onView={setView}
            >
              <AroundIt event={event.data} />
            </EventBody>
          ) : null}
          {event.loading ? <Loading what="the event" /> : null}
          {event.error && !event.data ? (
            <Failure error={event.error} title="The event could not be loaded">
              <button type="button" onClick={event.refresh}>
                Try again
              </button>
            </Failure>
          ) : null}
          {!shown ? <p class="dim">No event of this error is kept any more.</p> : null}
          <IssueFeedback issueId={id} shown={shown} />
          <Events issueId={id} current={shown} />
        </div>
        <aside class="narrow" aria-label="About this error">
          <Tags tags={issue.tags} />
          {event.data?.grouping?.variants ? <Grouping grouping={event.data.grouping} /> : null}
          <Hashes issue={issue} current={hashesOf(event.data)} onDone={refresh} />
          <History issue={issue} />
        </aside>
      </div>
    </article>
  );
}

function hashesOf(event: EventDetail | null): ReadonlySet<string> {
  const variants = Object.values(event?.grouping?.variants ?? {});
  return new Set(variants.map(variant => variant.hash).filter((hash): hash is string => Boolean(hash)));
}

function Head({issue, onChange}: {issue: IssueDetail; onChange: (status: IssueStatus) => void}) {
  return (
    <header class="issue-head">
      <div class="title-line">
        <h1>
          <Text text={issue.type || issue.title} />
        </h1>
        <div class="buttons">
          {issue.status === 'unresolved' ? (
            <>
              <button type="button" class="primary" onClick={() => onChange('resolved')}>
                <Icon name="check" />
                Resolve <kbd>e</kbd>
              </button>
              <button type="button" onClick={() => onChange('muted')}>
                <Icon name="mute" />
                Mute <kbd>m</kbd>
              </button>
            </>
          ) : (
            <button type="button" class="primary" onClick={() => onChange('unresolved')}>
              <Icon name="undo" />
              Reopen <kbd>u</kbd>
            </button>
          )}
        </div>
      </div>
      {issue.type && issue.value ? (
        <p class="issue-value">
          <Text text={issue.value} />
        </p>
      ) : null}
      <p class="sub">
        <Level level={issue.level} /> <StatusBadge status={issue.status} substatus={issue.substatus} />
        {issue.culprit ? (
          <span class="culprit">
            <Text text={issue.culprit} />
          </span>
        ) : null}
        <span class="dim">
          <Text text={issue.short_id} /> in project{' '}
          <a href={hrefs.project(issue.project)}>
            <Text text={issue.project} />
          </a>
        </span>
      </p>
      <div class="about">
        <Facts issue={issue} />
        <Charts issue={issue} />
      </div>
    </header>
  );
}

// Since when, how often, and for whom.
function Facts({issue}: {issue: IssueDetail}) {
  const users = issue.tags.find(tag => tag.key === 'user');
  return (
    <dl class="facts">
      <Fact name="Events">
        <strong>{exact(issue.count)}</strong>
      </Fact>
      <Fact name="Users">
        {users ? (
          <strong>{atMost(users.distinct)}</strong>
        ) : (
          <span class="dim" title="The events do not say whom they hit">
            —
          </span>
        )}
      </Fact>
      <Fact name="First seen">
        <Ago time={issue.first_seen} />
        <Moment time={issue.first_seen} />
      </Fact>
      <Fact name="Last seen">
        <Ago time={issue.last_seen} />
        <Moment time={issue.last_seen} />
      </Fact>
      <Several name="Service" many="Services" values={issue.services} />
      <Several name="Environment" many="Environments" values={issue.environments} />
      <Several name="Release" many="Releases" values={issue.releases} />
    </dl>
  );
}

function Fact({name, children}: {name: string; children: ComponentChildren}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const atMost = (distinct: number): string => exact(distinct) + (distinct >= tagValuesMax ? ' or more' : '');

// To the minute, to be compared with a deployment or an alarm.
function Moment({time}: {time: string}) {
  return <span class="moment">{localTime(parseTime(time)).replace(/:\d\d\.\d{3}/, '')}</span>;
}

function Several({name, many, values}: {name: string; many: string; values: string[]}) {
  const shown = values.slice(0, severalShown);
  if (values.length === 0) return null;
  return (
    <Fact name={values.length > 1 ? `${many} (${values.length})` : name}>
      <ul class="several" title={values.length > severalShown ? values.map(visible).join('\n') : undefined}>
        {shown.map(value => (
          <li key={value}>
            <Text text={value} />
          </li>
        ))}
        {values.length > severalShown ? <li class="dim">and {values.length - severalShown} more</li> : null}
      </ul>
    </Fact>
  );
}

function EventBar({
  issue,
  event,
  shown,
  newer,
}: {
  issue: IssueDetail;
  event: EventDetail | null;
  shown: string | null;
  newer: string | null;
}) {
  if (!shown) return null;
  const step = (to: string | null | undefined, label: string) =>
    to ? (
      <a class="button" href={hrefs.issue(issue.id, to)}>
        {label}
      </a>
    ) : (
      <span class="button" aria-disabled="true">
        {label}
      </span>
    );
  const request = event?.request_id || event?.trace_id;
  return (
    <nav class="event-bar" aria-label="Events of this error">
      <span class="steps">
        {step(issue.first_event === shown ? null : issue.first_event, 'First')}
        {step(event?.previous, '‹ Older')}
        {step(event?.next, 'Newer ›')}
        {step(issue.latest_event === shown ? null : issue.latest_event, 'Latest')}
      </span>
      {newer ? (
        <a class="newer" href={hrefs.issue(issue.id, newer)}>
          a newer event came in
        </a>
      ) : null}
      <span class="event-when">
        {event ? (
          <>
            <span class="dim">
              Event <code title={event.event_id}>{event.event_id.slice(0, 8)}</code>,{' '}
            </span>
            <Ago time={event.timestamp} />
            {[event.service, event.environment, event.release].filter(Boolean).map(value => (
              <span class="dim" key={value}>
                {' · '}
                <Text text={value} />
              </span>
            ))}
          </>
        ) : null}
      </span>
      {event ? <CopyButton label="Copy as Markdown" text={() => eventMarkdown(issue, event, location.href)} /> : null}
      {request ? (
        <a class="button primary request-link" href={hrefs.request(request, event?.span_id)}>
          Whole request <kbd>o</kbd>
        </a>
      ) : event ? (
        <span class="dim">no request: it carries no trace or request id</span>
      ) : null}
      <span class="offscreen" role="status">
        {event ? `Event ${event.event_id.slice(0, 8)}, ${plural(issue.count, 'event')} in all` : ''}
      </span>
    </nav>
  );
}
