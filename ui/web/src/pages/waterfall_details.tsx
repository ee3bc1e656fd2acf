// SPDX-License-Identifier: Apache-2.0
//
// Everything about the selected row of a waterfall.
import type {Log, RequestEvent, Span} from '../api';
import {isRecord} from '../event';
import {duration, nsToIso, toBigInt} from '../format';
import {Copy, Id} from '../parts/copy';
import {Icon} from '../parts/icon';
import {Lines, Text} from '../parts/text';
import {At} from '../parts/time';
import {Attributes, Value} from '../parts/values';
import {hrefs} from '../route';
import {logText, type Node, type Timeline} from '../waterfall';

function Ids({ids}: {ids: [string, string | null | undefined][]}) {
  return (
    <>
      {ids.map(([what, id]) =>
        id ? (
          <div key={what}>
            <dt>{what}</dt>
            <dd>
              <Id id={id} what={what.toLowerCase()} />
            </dd>
          </div>
        ) : null,
      )}
    </>
  );
}

function Moment({ns, timeline}: {ns: string; timeline: Timeline}) {
  return (
    <>
      <At time={nsToIso(ns)} /> <span class="dim">(+{duration(Number(toBigInt(ns) - timeline.baseNs) / 1e6)})</span>
    </>
  );
}

function SpanEvents({span, timeline}: {span: Span; timeline: Timeline}) {
  const events = span.events ?? [];
  if (events.length === 0) return null;
  return (
    <section>
      <h3>
        Events <span class="dim">{events.length}</span>
      </h3>
      {events.map((event, index) => {
        const attributes = isRecord(event.attributes) ? event.attributes : {};
        const stack = attributes['exception.stacktrace'];
        const rest = Object.fromEntries(
          Object.entries(attributes).filter(([key]) => key !== 'exception.stacktrace' || typeof stack !== 'string'),
        );
        return (
          <details
            key={index}
            open={events.length <= 5}
            class={event.name === 'exception' ? 'span-event bad-edge' : 'span-event'}
          >
            <summary>
              <strong>
                <Text text={event.name} />
              </strong>{' '}
              <span class="dim">+{duration(Number(toBigInt(event.time_ns) - timeline.baseNs) / 1e6)}</span>
            </summary>
            {Object.keys(rest).length > 0 ? <Attributes of={rest} /> : null}
            {typeof stack === 'string' ? (
              <div class="with-copy">
                <pre class="raw">
                  <Lines text={stack} />
                </pre>
                <Copy text={stack} what="stack trace" />
              </div>
            ) : null}
          </details>
        );
      })}
    </section>
  );
}

function SpanDetails({span, node, timeline}: {span: Span; node: Node; timeline: Timeline}) {
  const errors = node.children.filter(child => child.kind === 'event');
  const inside = node.children.filter(child => child.kind === 'span').length;
  return (
    <>
      {errors.map(child => (
        <ErrorLink key={child.key} event={child.event!} />
      ))}
      <dl class="pairs">
        <div>
          <dt>Service</dt>
          <dd>
            <Text text={span.service} />
          </dd>
        </div>
        <div>
          <dt>Took</dt>
          <dd>{duration(node.end - node.start)}</dd>
        </div>
        <div>
          <dt>Started</dt>
          <dd>
            <Moment ns={span.start_ns} timeline={timeline} />
          </dd>
        </div>
        <div>
          <dt>Status</dt>
          <dd class={span.status === 'error' ? 'bad' : ''}>
            <Text text={span.status} />
            {span.status_message ? (
              <>
                : <Text text={span.status_message} />
              </>
            ) : null}
          </dd>
        </div>
        <div>
          <dt>Kind</dt>
          <dd>
            <Text text={span.kind} />
            {inside > 0 ? <span class="dim">, {inside} below it</span> : null}
          </dd>
        </div>
        {span.scope ? (
          <div>
            <dt>Scope</dt>
            <dd>
              <Text text={span.scope} />
            </dd>
          </div>
        ) : null}
        <Ids
          ids={[
            ['Span id', span.span_id],
            ['Parent', span.parent_span_id],
            ['Trace id', span.trace_id],
          ]}
        />
        {span.trace_state ? (
          <div>
            <dt>Trace state</dt>
            <dd>
              <code>
                <Text text={span.trace_state} />
              </code>
            </dd>
          </div>
        ) : null}
      </dl>
      <section>
        <h3>Attributes</h3>
        <Attributes of={span.attributes} />
      </section>
      <SpanEvents span={span} timeline={timeline} />
      {span.links && span.links.length > 0 ? (
        <section>
          <h3>
            Links <span class="dim">{span.links.length}</span>
          </h3>
          {span.links.map((link, index) => (
            <div key={index}>
              <p>
                <a href={hrefs.request(link.trace_id, link.span_id)}>
                  to trace{' '}
                  <code>
                    <Text text={link.trace_id} />
                  </code>
                </a>
              </p>
              {isRecord(link.attributes) && Object.keys(link.attributes).length > 0 ? (
                <Attributes of={link.attributes} />
              ) : null}
            </div>
          ))}
        </section>
      ) : null}
      <section>
        <h3>Resource</h3>
        <Attributes of={span.resource} />
      </section>
    </>
  );
}

function LogDetails({log, timeline}: {log: Log; timeline: Timeline}) {
  return (
    <>
      <section class="with-copy">
        {typeof log.body === 'string' ? (
          <pre class="message">
            <Lines text={log.body} />
          </pre>
        ) : (
          <Value value={log.body} />
        )}
        <Copy text={logText(log)} what="text" />
      </section>
      <dl class="pairs">
        <div>
          <dt>Severity</dt>
          <dd>
            <Text text={log.severity || '—'} />
            {log.severity_number ? <span class="dim"> ({log.severity_number})</span> : null}
          </dd>
        </div>
        <div>
          <dt>Time</dt>
          <dd>
            <Moment ns={log.time_ns} timeline={timeline} />
          </dd>
        </div>
        <div>
          <dt>Service</dt>
          <dd>
            <Text text={log.service} />
          </dd>
        </div>
        {log.scope ? (
          <div>
            <dt>Logger</dt>
            <dd>
              <Text text={log.scope} />
            </dd>
          </div>
        ) : null}
        {log.event_name ? (
          <div>
            <dt>Event name</dt>
            <dd>
              <Text text={log.event_name} />
            </dd>
          </div>
        ) : null}
        <Ids
          ids={[
            ['Request id', log.request_id],
            ['Span id', log.span_id],
            ['Trace id', log.trace_id],
          ]}
        />
      </dl>
      <section>
        <h3>Attributes</h3>
        <Attributes of={log.attributes} />
      </section>
      <section>
        <h3>Resource</h3>
        <Attributes of={log.resource} />
      </section>
    </>
  );
}

function ErrorLink({event, id}: {event: RequestEvent; id?: string}) {
  return (
    <p class="error-link">
      <a id={id} class="button primary" href={hrefs.issue(event.issue_id, event.event_id)}>
        Open the error
      </a>{' '}
      <span class="bad">
        <Text text={event.title} />
      </span>
    </p>
  );
}

function titleOf(node: Node): string {
  switch (node.kind) {
    case 'span':
      return node.span!.name || '(unnamed span)';
    case 'log':
      return 'Log record';
    case 'event':
      return node.event!.title;
    case 'trace':
      return node.traceId ? 'Trace' : 'Without a trace';
  }
}

export function Details({node, timeline, onClose}: {node: Node; timeline: Timeline; onClose: () => void}) {
  return (
    <aside class="details" aria-label="Details of the selected row">
      <div class="details-head">
        <h2>
          <Text text={titleOf(node)} />
        </h2>
        <button type="button" class="icon-button" onClick={onClose} aria-label="Close details" title="Close (Esc)">
          <Icon name="cross" />
        </button>
      </div>
      <div class="details-body" key={node.key}>
        {node.span ? <SpanDetails span={node.span} node={node} timeline={timeline} /> : null}
        {node.log ? <LogDetails log={node.log} timeline={timeline} /> : null}
        {node.event ? (
          <>
            <ErrorLink event={node.event} id="open-error" />
            <dl class="pairs">
              <div>
                <dt>Time</dt>
                <dd>
                  <Moment ns={node.event.time_ns} timeline={timeline} />
                </dd>
              </div>
              <div>
                <dt>Service</dt>
                <dd>
                  <Text text={node.event.service} />
                </dd>
              </div>
              <Ids
                ids={[
                  ['Event id', node.event.event_id],
                  ['Span id', node.event.span_id],
                  ['Trace id', node.event.trace_id],
                ]}
              />
            </dl>
          </>
        ) : null}
        {node.kind === 'trace' ? (
          <dl class="pairs">
            <Ids ids={[['Trace id', node.traceId]]} />
            <div>
              <dt>Took</dt>
              <dd>{duration(node.end - node.start)}</dd>
            </div>
            {node.verdict ? (
              <div>
                <dt>Sampling</dt>
                <dd>
                  <Text text={node.verdict.decision} />
                  {node.verdict.policy ? (
                    <>
                      {' '}
                      by <Text text={node.verdict.policy} />
                    </>
                  ) : null}
                </dd>
              </div>
            ) : null}
          </dl>
        ) : null}
      </div>
    </aside>
  );
}
