// SPDX-License-Identifier: Apache-2.0
//
// One request: what is known of it as a whole, and its waterfall.
import {useLayoutEffect, useMemo} from 'preact/hooks';
import {paths, type EventDetail, type IssueDetail, type RequestDocument} from '../api';
import {duration, exact, nsToIso, plural} from '../format';
import {usePolled} from '../hooks';
import {restoreScroll} from '../navigation';
import {Id} from '../parts/copy';
import {Icon} from '../parts/icon';
import {Failure, Loading, Stale} from '../parts/notice';
import {Text} from '../parts/text';
import {Ago} from '../parts/time';
import {hrefs, noFilters} from '../route';
import {safeLink, visible} from '../text';
import {build, type Timeline} from '../waterfall';
import {Waterfall} from './waterfall';

const waitingMs = 2000;
const absentMs = 3000;
const idsShown = 4;

// While the verdict is open more of the request may come; afterwards it stays as it is.
function interval(request: RequestDocument | null): number {
  if (!request) return absentMs;
  return request.verdict?.decision === 'waiting' ? waitingMs : 0;
}

export function RequestPage({id, spanId}: {id: string; spanId: string | null}) {
  const {data: request, error, loading, refresh} = usePolled<RequestDocument>(paths.request(id), interval);
  const timeline = useMemo(() => (request ? build(request) : null), [request]);
  const name = timeline ? titleOf(timeline, request!) : id;
  document.title = visible(name) + ' · culprit';
  const ready = timeline !== null;
  useLayoutEffect(() => {
    if (ready) restoreScroll();
  }, [ready]);

  if (!request || !timeline) {
    if (loading) return <Loading what="the request" />;
    if (error!.code === 404) return <NotFound id={id} onRetry={refresh} />;
    return (
      <Failure error={error!} title="The request could not be loaded">
        <button type="button" onClick={refresh}>
          Try again
        </button>
      </Failure>
    );
  }
  return (
    <article class="request-page">
      <Stale error={error} />
      <Head request={request} timeline={timeline} name={name} onReload={refresh} />
      <Errors id={id} request={request} timeline={timeline} />
      {timeline.nodes.size > 0 ? (
        <Waterfall id={id} request={request} timeline={timeline} spanId={spanId} />
      ) : (
        <p class="empty dim">Nothing of this request is kept.</p>
      )}
    </article>
  );
}

function titleOf(timeline: Timeline, request: RequestDocument): string {
  for (const trace of timeline.roots) {
    const root = trace.children.find(node => node.kind === 'span');
    if (root) return root.span!.name || '(unnamed span)';
  }
  return request.events[0]?.title ?? 'Request ' + request.id;
}

function Ids({ids, what}: {ids: string[]; what: string}) {
  if (ids.length === 0) return null;
  const all = ids.map(id => <Id key={id} id={id} what={what.toLowerCase() + ' id'} />);
  return (
    <div>
      <dt>{ids.length > 1 ? `${what} ids (${ids.length})` : `${what} id`}</dt>
      <dd class="ids">
        {all.slice(0, idsShown)}
        {all.length > idsShown ? (
          <details>
            <summary>{all.length - idsShown} more</summary>
            {all.slice(idsShown)}
          </details>
        ) : null}
      </dd>
    </div>
  );
}

function chance(probability: number | null | undefined): string {
  return typeof probability === 'number' && probability < 1 ? `, at ${+(probability * 100).toPrecision(3)} %` : '';
}

function Verdict({request}: {request: RequestDocument}) {
  const verdict = request.verdict;
  const traces = verdict?.traces ?? [];
  const words: Record<string, string> = {
    keep: 'Kept',
    drop: 'Dropped by sampling; only its errors are here',
    waiting: 'Not yet decided; spans and logs appear when it is',
  };
  const decision = verdict?.decision ?? 'unknown';
  return (
    <div>
      <dt>Sampling</dt>
      <dd>
        <span class={'badge verdict-' + (words[decision] ? decision : 'unknown')}>
          {words[decision] ?? 'No longer known'}
        </span>
        {verdict?.policy ? (
          <>
            {' '}
            by{' '}
            <strong>
              <Text text={verdict.policy} />
            </strong>
            {chance(verdict.probability)}
          </>
        ) : null}
        {traces.length > 1 ? (
          <details>
            <summary>by trace</summary>
            <ul class="verdicts">
              {traces.map(trace => (
                <li key={trace.trace_id}>
                  <code>
                    <Text text={trace.trace_id.slice(0, 16)} />…
                  </code>{' '}
                  <Text text={trace.decision} />
                  {trace.policy ? (
                    <>
                      {' '}
                      by <Text text={trace.policy} />
                      {chance(trace.probability)}
                    </>
                  ) : null}
                  {trace.late ? ', with late spans' : ''}
                </li>
              ))}
            </ul>
          </details>
        ) : traces[0]?.late ? (
          <span class="dim"> with late spans</span>
        ) : null}
      </dd>
    </div>
  );
}

function Head({
  request,
  timeline,
  name,
  onReload,
}: {
  request: RequestDocument;
  timeline: Timeline;
  name: string;
  onReload: () => void;
}) {
  const jaeger = safeLink(request.jaeger_url);
  const errors = request.events.length;
  const start = nsToIso(String(timeline.baseNs));
  return (
    <header class="request-head">
      <div class="title-line">
        <h1>
          <Text text={name} />
        </h1>
        <div class="buttons">
          <button type="button" onClick={onReload}>
            Reload
          </button>
          {jaeger ? (
            <a class="button" href={jaeger} target="_blank" rel="noreferrer noopener">
              In Jaeger <Icon name="out" />
            </a>
          ) : null}
        </div>
      </div>
      <dl class="facts">
        <div>
          <dt>Took</dt>
          <dd>{timeline.spans > 0 ? duration(timeline.length) : '—'}</dd>
        </div>
        <div>
          <dt>Started</dt>
          <dd>
            <Ago time={start} />
          </dd>
        </div>
        <div>
          <dt>Spans</dt>
          <dd>
            {exact(timeline.spans)}
            {timeline.failures > 0 ? <span class="bad"> {exact(timeline.failures)} failed</span> : null}
          </dd>
        </div>
        <div>
          <dt>Errors</dt>
          <dd class={errors > 0 ? 'bad' : ''}>{exact(errors)}</dd>
        </div>
        <div>
          <dt>Logs</dt>
          <dd>{exact(request.logs.length)}</dd>
        </div>
        <div>
          <dt>Services</dt>
          <dd>{exact(timeline.services.length)}</dd>
        </div>
        <Verdict request={request} />
        <Ids ids={request.request_ids} what="Request" />
        <Ids ids={request.trace_ids} what="Trace" />
      </dl>
      {request.truncated ? (
        <p class="stale" role="status">
          This request is larger than what is shown: {plural(timeline.spans, 'span')} and{' '}
          {plural(request.logs.length, 'log record')} of it are here.
        </p>
      ) : null}
    </header>
  );
}

const errorsShown = 3;

// What broke, before anything else, with the way to it.
function Errors({id, request, timeline}: {id: string; request: RequestDocument; timeline: Timeline}) {
  if (request.events.length === 0) return null;
  return (
    <ul class="request-errors" aria-label="Errors of this request">
      {request.events.slice(0, errorsShown).map(event => {
        const node = timeline.nodes.get('event:' + event.event_id);
        return (
          <li key={event.event_id}>
            <a class="bad" href={hrefs.issue(event.issue_id, event.event_id)}>
              <strong>
                <Text text={event.title} />
              </strong>
            </a>
            <span class="dim">
              <Text text={event.service} />
              {node && timeline.spans > 0 ? `, ${duration(node.start)} after the start` : ''}
            </span>
            {event.span_id && timeline.spans > 0 ? <a href={hrefs.request(id, event.span_id)}>Show its span</a> : null}
          </li>
        );
      })}
      {request.events.length > errorsShown ? (
        <li class="dim">and {plural(request.events.length - errorsShown, 'more error')} below</li>
      ) : null}
    </ul>
  );
}

const eventId = /^[0-9a-f]{32}$/i;
const shortId = /^[\w-]+-\d{1,18}$/;

// What was pasted into the search box may be another kind of id, or text.
function Elsewhere({id}: {id: string}) {
  const plainId = id.replace(/-/g, '').toLowerCase();
  const {data: event} = usePolled<EventDetail>(eventId.test(plainId) ? paths.event(plainId) : null, 0);
  const {data: issue} = usePolled<IssueDetail>(shortId.test(id) ? paths.issue(id) : null, 0); // also of a merged one
  return (
    <p>
      {event ? (
        <>
          It is the id of an event:{' '}
          <a href={hrefs.issue(event.issue.id, event.event_id)}>
            <Text text={event.issue.title} />
          </a>
          .{' '}
        </>
      ) : null}
      {issue ? (
        <>
          It is the id of an error:{' '}
          <a href={hrefs.issue(issue.id)}>
            <Text text={issue.title} />
          </a>
          .{' '}
        </>
      ) : null}
      <a href={hrefs.inbox({...noFilters, query: id.slice(0, 200), status: 'all'})}>Look for it among the errors</a>
    </p>
  );
}

function NotFound({id, onRetry}: {id: string; onRetry: () => void}) {
  return (
    <div class="failure">
      <h1>Nothing is known under this id</h1>
      <p>
        <Id id={id} what="id" />
      </p>
      <p>
        It may not have arrived yet, then it will appear here by itself. Or sampling dropped the request, its time in
        the store is over, or the id belongs to another system. Request ids are found as the application wrote them, in
        full.
      </p>
      <Elsewhere id={id} />
      <p>
        <button type="button" onClick={onRetry}>
          Look again
        </button>{' '}
        <a href="/">To the errors</a>
      </p>
    </div>
  );
}
