// SPDX-License-Identifier: Apache-2.0
//
// What is known of an issue beside one event: how often, where, since when, why it is one issue, and its other events.
import {useState} from 'preact/hooks';
import {paths, tagValuesMax, type EventList, type EventSummary, type IssueDetail, type Tag} from '../api';
import {exact, percent, plural} from '../format';
import {dayBars, hourBars, type Bar} from '../hours';
import {usePages} from '../paging';
import {Loading} from '../parts/notice';
import {Key, Text} from '../parts/text';
import {Ago} from '../parts/time';
import {hrefs, noFilters} from '../route';

interface ChartProps {
  title: string;
  bars: Bar[];
  unit: string; // what one bar is
}

function Chart({title, bars, unit}: ChartProps) {
  const most = Math.max(1, ...bars.map(bar => bar.count));
  const total = bars.reduce((sum, bar) => sum + bar.count, 0);
  const label = `${title}: ${plural(total, 'event')}, at most ${exact(most)} in ${unit}`;
  return (
    <figure class="chart">
      <figcaption>
        {title} <strong>{exact(total)}</strong>
      </figcaption>
      <svg viewBox={`0 0 ${bars.length * 10} 40`} preserveAspectRatio="none" role="img" aria-label={label}>
        {bars.map((bar, index) => {
          const tall = bar.count === 0 ? 0 : Math.max(2, (bar.count / most) * 38);
          return (
            <g key={index}>
              <title>{`${bar.label}: ${plural(bar.count, 'event')}`}</title>
              <rect class="hit" x={index * 10} y="0" width="10" height="40" />
              <rect class="length" x={index * 10 + 1} y={(40 - tall).toFixed(2)} width="8" height={tall.toFixed(2)} />
            </g>
          );
        })}
      </svg>
    </figure>
  );
}

export function Charts({issue}: {issue: IssueDetail}) {
  const now = Date.now();
  return (
    <div class="charts">
      <Chart title="24 hours" bars={dayBars(issue.sparkline, now)} unit="an hour" />
      <Chart title="14 days" bars={hourBars(issue.hours, now)} unit="6 hours" />
    </div>
  );
}

const tagValuesShown = 4;

function tagHref(tag: Tag, value: string): string {
  return hrefs.inbox({...noFilters, query: `${tag.key}:${value}`, status: 'all'});
}

// A tag with one value is one line; of several, the most frequent ones with their shares.
export function Tags({tags}: {tags: Tag[]}) {
  if (tags.length === 0) return null;
  const several = tags.filter(tag => tag.distinct > 1);
  const single = tags.filter(tag => tag.distinct <= 1);
  return (
    <section>
      <h2>Tags</h2>
      {several.length > 0 ? (
        <ul class="tags">
          {several.map(tag => (
            <ManyValued key={tag.key} tag={tag} />
          ))}
        </ul>
      ) : null}
      {single.length > 0 ? (
        <dl class="tags-single">
          {single.map(tag => (
            <div key={tag.key}>
              <dt>
                <Key text={tag.key} />
              </dt>
              <dd>
                {tag.values.map(value => (
                  <a key={value.value} href={tagHref(tag, value.value)} title="Errors with this tag">
                    <Text text={value.value || '(empty)'} />
                  </a>
                ))}
              </dd>
            </div>
          ))}
        </dl>
      ) : null}
    </section>
  );
}

function ManyValued({tag}: {tag: Tag}) {
  const [all, setAll] = useState(false);
  const shown = all ? tag.values : tag.values.slice(0, tagValuesShown);
  return (
    <li>
      <h3>
        <Text text={tag.key} />{' '}
        <span class="dim">
          {exact(tag.distinct)}
          {tag.distinct >= tagValuesMax ? ' or more' : ''} values
        </span>
      </h3>
      <ul>
        {shown.map(value => (
          <li key={value.value}>
            <a href={tagHref(tag, value.value)} title="Errors with this tag">
              <Text text={value.value || '(empty)'} />
            </a>
            <span class="dim" title={plural(value.count, 'event')}>
              {percent(value.count, tag.total)}
            </span>
            <svg class="share" viewBox="0 0 100 3" preserveAspectRatio="none" aria-hidden="true">
              <rect width={tag.total > 0 ? Math.min(100, (100 * value.count) / tag.total) : 0} height="3" />
            </svg>
          </li>
        ))}
      </ul>
      {tag.values.length > shown.length ? (
        <button type="button" class="link" onClick={() => setAll(true)}>
          {tag.values.length - shown.length} more
        </button>
      ) : null}
    </li>
  );
}

const kinds: Record<string, string> = {
  first_seen: 'Seen for the first time',
  regressed: 'Came back',
  resolved: 'Resolved',
  unresolved: 'Reopened',
  muted: 'Muted',
  merged: 'Merged into this one',
  split_off: 'Split off',
  split_from: 'Split from',
};

export function History({issue}: {issue: IssueDetail}) {
  return (
    <section>
      <h2>History</h2>
      <ol class="history">
        {[...issue.history]
          .sort((a, b) => b.time.localeCompare(a.time))
          .map((entry, index) => (
            <li key={index}>
              <span>
                {kinds[entry.kind] ?? <Text text={entry.kind} />}
                {entry.issue ? (
                  <span class="dim">
                    {' '}
                    <Text text={entry.issue} />
                  </span>
                ) : null}
              </span>
              <Ago time={entry.time} />
            </li>
          ))}
      </ol>
    </section>
  );
}

// The kept events of the issue, newest first.
export function Events({issueId, current}: {issueId: string; current: string | null}) {
  const {items, next, loading, error, more} = usePages<EventList, EventSummary>({
    path: cursor => paths.issueEvents(issueId, cursor),
    read: answer => ({items: answer.events, next: answer.next}),
    idOf: event => event.event_id,
    interval: 5000,
  });
  const events = items ?? [];
  return (
    <section aria-labelledby="events-title">
      <h2 id="events-title">Events</h2>
      {loading ? <Loading what="events" /> : null}
      {error && !items ? (
        <p class="dim" role="alert">
          <Text text={error.message} />
        </p>
      ) : null}
      {events.length > 0 ? (
        <div class="scroll-x">
          <table class="events">
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">What</th>
                <th scope="col">Service</th>
                <th scope="col">Release</th>
                <th scope="col">Request</th>
              </tr>
            </thead>
            <tbody>
              {events.map(event => {
                const request = event.request_id || event.trace_id;
                return (
                  <tr key={event.event_id} aria-current={event.event_id === current ? 'true' : undefined}>
                    <td>
                      <a href={hrefs.issue(issueId, event.event_id)}>
                        <Ago time={event.timestamp} />
                      </a>
                    </td>
                    <td class="event-title">
                      <Text text={event.title} />
                    </td>
                    <td>
                      <Text text={event.service} />
                      {event.environment ? (
                        <span class="dim">
                          {' '}
                          <Text text={event.environment} />
                        </span>
                      ) : null}
                    </td>
                    <td>
                      <Text text={event.release} />
                    </td>
                    <td>
                      {request ? (
                        <a href={hrefs.request(request)}>
                          <code>
                            <Text text={request.length > 14 ? request.slice(0, 12) + '…' : request} />
                          </code>
                        </a>
                      ) : (
                        <span class="dim">—</span>
                      )}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      ) : null}
      {next ? (
        <p class="more">
          <button type="button" onClick={() => void more()}>
            Older events
          </button>
        </p>
      ) : null}
    </section>
  );
}
