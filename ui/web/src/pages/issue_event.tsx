// SPDX-License-Identifier: Apache-2.0
//
// One event of an issue: its exceptions with their frames, then everything else that its document holds.
import type {ComponentChildren} from 'preact';
import {useState} from 'preact/hooks';
import type {EventDetail, EventDocument, Exception} from '../api';
import {
  breadcrumbsOf,
  exceptionsOf,
  isRecord,
  messageOf,
  pairsOf,
  text,
  threadsWithStack,
  type Breadcrumb,
} from '../event';
import {duration, parseTime} from '../format';
import {faultsOf, metaAt, type Meta} from '../meta';
import {Attachments} from '../parts/attachments';
import {Copy, Id} from '../parts/copy';
import {levelClass} from '../parts/level';
import {Lines, Text} from '../parts/text';
import {Ago, At} from '../parts/time';
import {Attributes, Pairs, Value} from '../parts/values';
import {EventFeedback} from './issue_items';
import {Frames, StackTrace, type StackView} from './issue_stack';

function Section({
  title,
  count,
  open = false,
  children,
}: {
  title: string;
  count?: number;
  open?: boolean;
  children: ComponentChildren;
}) {
  const [seen, setSeen] = useState(open); // what was never opened costs nothing
  return (
    <details class="section" open={open} onToggle={event => event.currentTarget.open && setSeen(true)}>
      <summary>
        <h2>{title}</h2>
        {count === undefined ? null : <span class="dim">{count}</span>}
      </summary>
      {seen ? children : null}
    </details>
  );
}

const clock = (iso: string): string => /T(\d\d:\d\d:\d\d(?:\.\d{1,3})?)/.exec(iso)?.[1] ?? iso;

// Newest last, as they happened, each with how long before the event it was.
function Breadcrumbs({crumbs, at, meta}: {crumbs: Breadcrumb[]; at: string; meta: Meta}) {
  const end = parseTime(at);
  return (
    <ol class="breadcrumbs">
      {crumbs.map((crumb, index) => {
        const before = end - parseTime(crumb.timestamp);
        return (
          <li key={index} class={levelClass(crumb.level)}>
            <time dateTime={crumb.timestamp} title={crumb.timestamp}>
              {before >= 0 && before < 3600000 ? `−${duration(before)}` : clock(crumb.timestamp)}
            </time>
            <span class="category">
              <Text text={crumb.category} />
              {crumb.level !== 'info' ? (
                <span class={'badge ' + levelClass(crumb.level)}>
                  <Text text={crumb.level} />
                </span>
              ) : null}
            </span>
            <div class="crumb">
              {crumb.message ? (
                <span class="string">
                  <Lines text={crumb.message} />
                </span>
              ) : null}
              {crumb.data.length > 0 ? (
                <Pairs pairs={crumb.data} depth={1} meta={metaAt(meta, crumb.place, 'data')} />
              ) : null}
            </div>
          </li>
        );
      })}
    </ol>
  );
}

function Request({request, meta}: {request: Record<string, unknown>; meta: Meta}) {
  const headers = pairsOf(request['headers']);
  const part = (name: string, title: string) => {
    const value = request[name];
    if (value === null || value === undefined || value === '') return null;
    return (
      <div>
        <dt>{title}</dt>
        <dd>
          <Value value={value} meta={metaAt(meta, name)} />
        </dd>
      </div>
    );
  };
  const known = ['headers', 'method', 'url', 'query_string', 'data', 'cookies', 'env', 'fragment'];
  const rest = Object.entries(request).filter(([key, value]) => !known.includes(key) && value !== null);
  return (
    <>
      <p class="request-line">
        <strong>
          <Text text={text(request['method'])} />
        </strong>{' '}
        <Value value={request['url']} meta={metaAt(meta, 'url')} />
      </p>
      <dl class="pairs">
        {part('query_string', 'Query')}
        {part('fragment', 'Fragment')}
        {part('data', 'Body')}
        {part('cookies', 'Cookies')}
        {part('env', 'Environment')}
      </dl>
      {rest.length > 0 ? <Pairs pairs={rest} meta={meta} /> : null}
      {headers.length > 0 ? (
        <>
          <h3>
            Headers <span class="dim">{headers.length}</span>
          </h3>
          <Pairs pairs={headers} meta={metaAt(meta, 'headers')} />
        </>
      ) : null}
    </>
  );
}

const sources: Record<string, string> = {
  span: 'an exception event of a span',
  log: 'a log record',
  sdk: 'an error SDK',
};

function Origin({event}: {event: EventDetail}) {
  const ids = (
    [
      ['Event', event.event_id],
      ['Request', event.request_id],
      ['Trace', event.trace_id],
      ['Span', event.span_id],
    ] as const
  ).filter((pair): pair is typeof pair & [string, string] => Boolean(pair[1]));
  const sdk = isRecord(event.document['sdk']) ? event.document['sdk'] : null;
  return (
    <dl class="pairs">
      {ids.map(([what, id]) => (
        <div key={what}>
          <dt>{what}</dt>
          <dd>
            <Id id={id} what={what.toLowerCase() + ' id'} />
          </dd>
        </div>
      ))}
      <div>
        <dt>Came from</dt>
        <dd>
          {sources[event.source] ?? <Text text={event.source} />}
          {sdk ? (
            <>
              {', '}
              <Text text={[text(sdk['name']), text(sdk['version'])].filter(Boolean).join(' ')} />
            </>
          ) : null}
        </dd>
      </div>
      <div>
        <dt>Happened</dt>
        <dd>
          <At time={event.timestamp} /> (<Ago time={event.timestamp} />)
        </dd>
      </div>
      {event.received ? (
        <div>
          <dt>Received</dt>
          <dd>
            <At time={event.received} />
          </dd>
        </div>
      ) : null}
    </dl>
  );
}

function Contexts({document}: {document: EventDocument}) {
  const contexts = isRecord(document['contexts'])
    ? Object.entries(document['contexts']).filter(([, value]) => isRecord(value))
    : [];
  if (contexts.length === 0) return null;
  return (
    <Section title="Contexts" count={contexts.length} open>
      <div class="cards">
        {contexts.map(([name, value]) => (
          <section key={name} class="card">
            <h3>
              <Text text={name} />
            </h3>
            <Attributes of={value} copy={false} meta={metaAt(document['_meta'], 'contexts', name)} />
          </section>
        ))}
      </div>
    </Section>
  );
}

function Faults({document}: {document: EventDocument}) {
  const faults = faultsOf(document['_meta']);
  if (faults.length === 0) return null;
  return (
    <Section title="Could not be read" count={faults.length}>
      <p class="dim">Parts of the event that were not as they should be. The rest of it was taken.</p>
      <Pairs pairs={faults.map(fault => [fault.path, fault.errors.join(', ')])} />
    </Section>
  );
}

interface EventBodyProps {
  event: EventDetail;
  said: string | null; // the value in the head of the page
  view: StackView;
  onView: (view: StackView) => void;
  children?: ComponentChildren; // below the stack trace
}

export function EventBody({event, said, view, onView, children}: EventBodyProps) {
  const document = event.document ?? {};
  const meta = document['_meta'];
  const exceptions = exceptionsOf(document);
  const threads = exceptions.length === 0 ? threadsWithStack(document) : [];
  const message = messageOf(document);
  const crumbs = breadcrumbsOf(document);
  const tags = pairsOf(document['tags']);
  const modules = pairsOf(document['modules']);
  return (
    <>
      <EventFeedback feedback={event.feedback ?? []} />
      {exceptions.length > 0 ? <StackTrace document={document} said={said} view={view} onView={onView} /> : null}
      {message && (exceptions.length > 0 || message !== said) ? (
        <section>
          <h2>Message</h2>
          <pre class="message">
            <Lines text={message} />
          </pre>
        </section>
      ) : null}
      {threads.map((thread, index) => (
        <section key={index}>
          <h2>
            Thread <Text text={thread.name} />
          </h2>
          <Frames exception={thread.thread as Exception} meta={undefined} full={view === 'full'} />
        </section>
      ))}
      {exceptions.length === 0 && !message && threads.length === 0 ? (
        <p class="dim">This event has neither an exception nor a message.</p>
      ) : null}
      {children}
      {event.attachments && event.attachments.length > 0 ? (
        <Section title="Attachments" count={event.attachments.length} open>
          <Attachments eventId={event.event_id} attachments={event.attachments} />
        </Section>
      ) : null}
      {crumbs.length > 0 ? (
        <Section title="Breadcrumbs" count={crumbs.length} open={crumbs.length <= 30}>
          <Breadcrumbs
            crumbs={crumbs}
            at={event.timestamp}
            meta={metaAt(meta, 'breadcrumbs', 'values') ?? metaAt(meta, 'breadcrumbs')}
          />
        </Section>
      ) : null}
      {isRecord(document['request']) ? (
        <Section title="HTTP request" open>
          <Request request={document['request']} meta={metaAt(meta, 'request')} />
        </Section>
      ) : null}
      {isRecord(document['user']) ? (
        <Section title="User" open>
          <Attributes of={document['user']} meta={metaAt(meta, 'user')} />
        </Section>
      ) : null}
      {tags.length > 0 ? (
        <Section title="Tags" count={tags.length} open>
          <Pairs pairs={tags} meta={metaAt(meta, 'tags')} />
        </Section>
      ) : null}
      <Contexts document={document} />
      {isRecord(document['extra']) && Object.keys(document['extra']).length > 0 ? (
        <Section title="Extra" count={Object.keys(document['extra']).length} open>
          <Attributes of={document['extra']} meta={metaAt(meta, 'extra')} />
        </Section>
      ) : null}
      {modules.length > 0 ? (
        <Section title="Packages" count={modules.length}>
          <Pairs pairs={modules} />
        </Section>
      ) : null}
      <Faults document={document} />
      <Section title="Ids and origin" open>
        <Origin event={event} />
      </Section>
      <Section title="Whole event as JSON">
        <WholeDocument document={document} />
      </Section>
    </>
  );
}

const documentMax = 200000;

function WholeDocument({document}: {document: unknown}) {
  let json: string;
  try {
    json = JSON.stringify(document, null, 2);
  } catch {
    json = '(nested too deep to show)';
  }
  return (
    <>
      <Copy text={json} what="document" />
      <pre class="raw" tabIndex={0} aria-label="Event as JSON">
        <Lines text={json.slice(0, documentMax)} />
        {json.length > documentMax ? '\n… the copy button has the rest' : ''}
      </pre>
    </>
  );
}
