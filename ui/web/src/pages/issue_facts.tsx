// SPDX-License-Identifier: Apache-2.0
//
// What is known of an issue beside one event: how often, where, since when, why it is one issue, and its other events.
import {useState} from 'preact/hooks';
import {
  ask,
  ApiError,
  paths,
  type EventDetail,
  type EventList,
  type EventSummary,
  type IssueDetail,
  type Tag,
} from '../api';
import {componentRows} from '../event';
import {exact, percent, plural} from '../format';
import {usePolled} from '../hooks';
import {hourBars} from '../hours';
import {Id} from '../parts/copy';
import {Loading} from '../parts/notice';
import {Text} from '../parts/text';
import {Ago} from '../parts/time';
import {toastFailure} from '../parts/toast';
import {hrefs} from '../route';

const chartWidth = 280;
const chartHeight = 56;

export function Hours({issue}: {issue: IssueDetail}) {
  const bars = hourBars(issue.hours, Date.now());
  const most = Math.max(1, ...bars.map(bar => bar.count));
  const step = chartWidth / bars.length;
  const total = bars.reduce((sum, bar) => sum + bar.count, 0);
  const label = `Last 14 days: ${plural(total, 'event')}`;
  return (
    <section>
      <h2>14 days</h2>
      <svg class="hours" viewBox={`0 0 ${chartWidth} ${chartHeight}`} role="img" aria-label={label}>
        <path class="base" d={`M0 ${chartHeight - 0.5}h${chartWidth}`} />
        {bars.map((bar, index) => {
          if (bar.count === 0) return null;
          const tall = Math.max(2, (bar.count / most) * (chartHeight - 4));
          return (
            <rect
              key={index}
              x={(index * step + 0.5).toFixed(2)}
              y={(chartHeight - 1 - tall).toFixed(2)}
              width={(step - 1).toFixed(2)}
              height={tall.toFixed(2)}
            >
              <title>{`${bar.label}: ${plural(bar.count, 'event')}`}</title>
            </rect>
          );
        })}
      </svg>
      <p class="dim axis">
        <span>14 d ago</span>
        <span>at most {exact(most)} in 6 h</span>
        <span>now</span>
      </p>
    </section>
  );
}

const tagValuesShown = 4;

export function Tags({tags}: {tags: Tag[]}) {
  if (tags.length === 0) return null;
  return (
    <section>
      <h2>Tags</h2>
      <ul class="tags">
        {tags.map(tag => (
          <li key={tag.key}>
            <details open={tag.values.length <= tagValuesShown}>
              <summary>
                <span class="tag-key">
                  <Text text={tag.key} />
                </span>
                {tag.values[0] ? (
                  <span class="tag-top">
                    <Text text={tag.values[0].value} />{' '}
                    <span class="dim">{percent(tag.values[0].count, tag.total)}</span>
                  </span>
                ) : null}
              </summary>
              <ul>
                {tag.values.map(value => (
                  <li key={value.value}>
                    <a
                      href={hrefs.inbox({
                        query: `${tag.key}:${value.value}`,
                        service: '',
                        environment: '',
                        level: '',
                        status: 'all',
                        sort: 'last_seen',
                      })}
                      title="Errors with this tag"
                    >
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
            </details>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function Grouping({grouping}: {grouping: NonNullable<EventDetail['grouping']>}) {
  const variants = Object.entries(grouping.variants).sort(
    ([, a], [, b]) => Number(b.contributes) - Number(a.contributes),
  );
  return (
    <section class="grouping">
      <h2>Why these are one error</h2>
      <p class="dim">
        Events are one error when what is marked here is the same in them. <Text text={grouping.algorithm} />
      </p>
      {variants.map(([name, variant]) => (
        <details key={name} open={variant.contributes} class={variant.contributes ? '' : 'muted'}>
          <summary>
            <strong>
              <Text text={name} />
            </strong>{' '}
            <span class="badge">{variant.contributes ? 'used' : 'not used'}</span>
          </summary>
          {variant.hash ? (
            <p>
              <Id id={variant.hash} what="hash" />
            </p>
          ) : null}
          <ul class="components">
            {componentRows(variant.component).map((row, index) => (
              <li key={index} class={row.contributes ? '' : 'muted'} data-depth={Math.min(row.depth, 6)}>
                <span aria-hidden="true">{row.contributes ? '✓ ' : '· '}</span>
                <span class="offscreen">{row.contributes ? 'counts: ' : 'does not count: '}</span>
                <Text text={row.label} />
                {row.value !== null ? (
                  <code>
                    <Text text={row.value} />
                  </code>
                ) : null}
                {row.hint ? (
                  <span class="hint">
                    <Text text={row.hint} />
                  </span>
                ) : null}
              </li>
            ))}
          </ul>
        </details>
      ))}
    </section>
  );
}

const kinds: Record<string, string> = {
  first_seen: 'Seen for the first time',
  regressed: 'Came back',
  resolved: 'Resolved',
  unresolved: 'Reopened',
  muted: 'Muted',
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
              <span>{kinds[entry.kind] ?? <Text text={entry.kind} />}</span>
              <Ago time={entry.time} />
            </li>
          ))}
      </ol>
      {issue.hashes.length > 0 ? (
        <details class="hashes">
          <summary>{plural(issue.hashes.length, 'hash', 'hashes')}</summary>
          <ul>
            {issue.hashes.map(hash => (
              <li key={hash.hash}>
                <Id id={hash.hash} what="hash" />
                <span class="dim">
                  <Text text={`${hash.variant}, ${hash.algorithm}`} />
                </span>
              </li>
            ))}
          </ul>
        </details>
      ) : null}
    </section>
  );
}

// The kept events of the issue, newest first.
export function Events({issueId, current}: {issueId: string; current: string | null}) {
  const {data, loading, error} = usePolled<EventList>(paths.issueEvents(issueId), 5000);
  const [older, setOlder] = useState<EventSummary[]>([]);
  const [next, setNext] = useState<string | null | undefined>(undefined);
  const cursor = next === undefined ? (data?.next ?? null) : next;
  const more = async (): Promise<void> => {
    try {
      const page = await ask<EventList>(paths.issueEvents(issueId, cursor!));
      setOlder([...older, ...page.events]);
      setNext(page.next);
    } catch (failure) {
      toastFailure((failure as ApiError).message);
    }
  };
  const known = new Set(data?.events.map(event => event.event_id));
  const events = [...(data?.events ?? []), ...older.filter(event => !known.has(event.event_id))];
  return (
    <section aria-labelledby="events-title">
      <h2 id="events-title">Events</h2>
      {loading ? <Loading what="events" /> : null}
      {error && !data ? (
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
      {cursor ? (
        <p class="more">
          <button type="button" onClick={more}>
            Older events
          </button>
        </p>
      ) : null}
    </section>
  );
}
