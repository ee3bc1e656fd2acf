// SPDX-License-Identifier: Apache-2.0
//
// One event of an issue: its exceptions with their frames, then everything else that its document holds.
import type {ComponentChildren} from 'preact';
import {useState} from 'preact/hooks';
import type {EventDetail, Exception, Frame} from '../api';
import {
  breadcrumbsOf,
  exceptionsOf,
  frameLocation,
  framesOf,
  frameToOpen,
  groupFrames,
  isRecord,
  messageOf,
  pairsOf,
  rawText,
  sourceLines,
  text,
  threadsWithStack,
} from '../event';
import {plural} from '../format';
import {useKeys} from '../hooks';
import {Copy, Id} from '../parts/copy';
import {levelClass} from '../parts/level';
import {Lines, Text} from '../parts/text';
import {Ago, At} from '../parts/time';
import {Attributes, Pairs, Value} from '../parts/values';

function FrameRow({frame, inApp, open}: {frame: Frame; inApp: boolean; open: boolean}) {
  const source = sourceLines(frame);
  const locals = isRecord(frame.vars) ? Object.entries(frame.vars) : [];
  const name = (
    <>
      <span class="function">
        <Text text={text(frame.function) || '(anonymous)'} />
      </span>
      {frame.module ? (
        <span class="module">
          {' '}
          in <Text text={text(frame.module)} />
        </span>
      ) : null}
      <span class="location">
        <Text text={frameLocation(frame)} />
      </span>
    </>
  );
  const className = 'frame' + (inApp ? ' in-app' : '');
  if (source.length === 0 && locals.length === 0)
    return (
      <li class={className}>
        <div class="frame-head">{name}</div>
      </li>
    );
  return (
    <li class={className}>
      <details open={open}>
        <summary class="frame-head">{name}</summary>
        {source.length > 0 ? (
          <pre class="source">
            {source.map((line, index) => (
              <div key={index} class={line.current ? 'current' : ''}>
                <span class="line-number">{line.number ?? ''}</span>
                <Lines text={line.text || ' '} />
              </div>
            ))}
          </pre>
        ) : null}
        {locals.length > 0 ? (
          <div class="locals">
            <h4>Local variables</h4>
            <Pairs pairs={locals} />
          </div>
        ) : null}
      </details>
    </li>
  );
}

function Frames({frames, all}: {frames: Frame[]; all: boolean}) {
  const toOpen = frameToOpen(frames);
  if (frames.length === 0) return <p class="dim">No stack trace came with it.</p>;
  return (
    <ol class="frames" aria-label="Stack frames, newest call first">
      {groupFrames(frames).map(group => {
        const rows = group.frames.map((frame, index) => (
          <FrameRow key={group.first + index} frame={frame} inApp={group.inApp} open={group.first + index === toOpen} />
        ));
        if (group.inApp || all) return rows;
        const first = group.frames[0]!;
        return (
          <li key={'group' + group.first} class="library">
            <details>
              <summary>
                {plural(group.frames.length, 'library frame')}
                <span class="dim">
                  {' '}
                  <Text
                    text={[text(first.module), text(first.function)].filter(Boolean).join('.') || frameLocation(first)}
                  />
                </span>
              </summary>
              <ol class="frames">{rows}</ol>
            </details>
          </li>
        );
      })}
    </ol>
  );
}

function ExceptionBlock({exception, index, all}: {exception: Exception; index: number; all: boolean}) {
  const mechanism = isRecord(exception.mechanism) ? exception.mechanism : null;
  return (
    <section class="exception">
      <h3>
        {index > 0 ? <span class="caused-by">caused by </span> : null}
        <Text text={text(exception.type) || 'Error'} />
        {mechanism?.['handled'] === false ? <span class="badge level-fatal">unhandled</span> : null}
        {mechanism?.['type'] ? (
          <span class="badge">
            <Text text={text(mechanism['type'])} />
          </span>
        ) : null}
      </h3>
      {exception.value ? (
        <pre class="exception-value">
          <Lines text={text(exception.value)} />
        </pre>
      ) : null}
      <Frames frames={framesOf(exception)} all={all} />
    </section>
  );
}

function StackTrace({exceptions}: {exceptions: Exception[]}) {
  const [raw, setRaw] = useState(false);
  const [all, setAll] = useState(false);
  useKeys({w: () => setRaw(!raw), a: () => setAll(!all)});
  const plain = rawText(exceptions);
  return (
    <section aria-labelledby="stack-title" class="stack">
      <div class="section-head">
        <h2 id="stack-title">Stack trace</h2>
        <button type="button" aria-pressed={all} disabled={raw} onClick={() => setAll(!all)}>
          All frames <kbd>a</kbd>
        </button>
        <button type="button" aria-pressed={raw} onClick={() => setRaw(!raw)}>
          As text <kbd>w</kbd>
        </button>
        <Copy text={plain} what="stack trace" />
      </div>
      {raw ? (
        <pre class="raw">
          <Lines text={plain} />
        </pre>
      ) : (
        exceptions.map((exception, index) => (
          <ExceptionBlock key={index} exception={exception} index={index} all={all} />
        ))
      )}
    </section>
  );
}

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

function Breadcrumbs({crumbs}: {crumbs: ReturnType<typeof breadcrumbsOf>}) {
  return (
    <ol class="breadcrumbs">
      {crumbs.map((crumb, index) => (
        <li key={index} class={levelClass(crumb.level)}>
          <At time={crumb.timestamp} />{' '}
          <span class="category">
            <Text text={crumb.category} />
          </span>
          <span>
            <Text text={crumb.message} />
          </span>
          {crumb.data.length > 0 ? <Pairs pairs={crumb.data} depth={1} /> : null}
        </li>
      ))}
    </ol>
  );
}

function Request({request}: {request: Record<string, unknown>}) {
  const headers = pairsOf(request['headers']);
  const rest = Object.entries(request).filter(
    ([key, value]) => !['headers', 'method', 'url'].includes(key) && value !== null,
  );
  return (
    <>
      <p class="request-line">
        <strong>
          <Text text={text(request['method'])} />
        </strong>{' '}
        <Value value={request['url']} />
      </p>
      {rest.length > 0 ? <Pairs pairs={rest} /> : null}
      {headers.length > 0 ? (
        <>
          <h3>Headers</h3>
          <Pairs pairs={headers} />
        </>
      ) : null}
    </>
  );
}

export function EventBody({event}: {event: EventDetail}) {
  const document = event.document ?? {};
  const exceptions = exceptionsOf(document);
  const threads = exceptions.length === 0 ? threadsWithStack(document) : [];
  const message = messageOf(document);
  const crumbs = breadcrumbsOf(document);
  const tags = pairsOf(document['tags']);
  const contexts = isRecord(document['contexts'])
    ? Object.entries(document['contexts']).filter(([, value]) => isRecord(value))
    : [];
  const ids = (
    [
      ['Event', event.event_id],
      ['Request', event.request_id],
      ['Trace', event.trace_id],
      ['Span', event.span_id],
    ] as const
  ).filter((pair): pair is typeof pair & [string, string] => Boolean(pair[1]));
  return (
    <>
      {exceptions.length > 0 ? <StackTrace exceptions={exceptions} /> : null}
      {message ? (
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
          <Frames frames={thread.frames} all={false} />
        </section>
      ))}
      {exceptions.length === 0 && !message && threads.length === 0 ? (
        <p class="dim">This event has neither an exception nor a message.</p>
      ) : null}
      {isRecord(document['request']) ? (
        <Section title="HTTP request" open>
          <Request request={document['request']} />
        </Section>
      ) : null}
      {tags.length > 0 ? (
        <Section title="Tags" count={tags.length} open>
          <Pairs pairs={tags} />
        </Section>
      ) : null}
      {isRecord(document['user']) ? (
        <Section title="User" open>
          <Attributes of={document['user']} />
        </Section>
      ) : null}
      {crumbs.length > 0 ? (
        <Section title="Breadcrumbs" count={crumbs.length} open={crumbs.length <= 20}>
          <Breadcrumbs crumbs={crumbs} />
        </Section>
      ) : null}
      {contexts.length > 0 ? (
        <Section title="Contexts" count={contexts.length}>
          {contexts.map(([name, value]) => (
            <div key={name}>
              <h3>
                <Text text={name} />
              </h3>
              <Attributes of={value} />
            </div>
          ))}
        </Section>
      ) : null}
      {isRecord(document['extra']) && Object.keys(document['extra']).length > 0 ? (
        <Section title="Extra" count={Object.keys(document['extra']).length} open>
          <Attributes of={document['extra']} />
        </Section>
      ) : null}
      <Section title="Ids and origin" open>
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
              {{span: 'an exception event of a span', log: 'a log record', sdk: 'an error SDK'}[event.source] ??
                event.source}
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
      <pre class="raw">
        <Lines text={json.slice(0, documentMax)} />
        {json.length > documentMax ? '\n… the copy button has the rest' : ''}
      </pre>
    </>
  );
}
