// SPDX-License-Identifier: Apache-2.0
//
// The request that an event belongs to, small: the way to the failing span and the logs before it. The request page has
// all of it.
import {useMemo} from 'preact/hooks';
import {around, type Around} from '../around';
import {paths, type EventDetail, type RequestDocument} from '../api';
import {duration, plural} from '../format';
import {usePolled} from '../hooks';
import {Text} from '../parts/text';
import {hrefs} from '../route';
import {build, logText, place, type Node, type Timeline} from '../waterfall';
import {serviceClass} from './waterfall_row';

const logsMax = 8;
const linesMax = 60;
const lineHeight = 4;
const chainMax = 9;
const chainTop = 2;
const logShown = 400; // characters
const waitingMs = 2000;

function Picture({timeline, of}: {timeline: Timeline; of: Around}) {
  const range = {from: 0, to: timeline.length};
  const chain = new Set(of.chain);
  const height = Math.max(12, of.lines.length * lineHeight + 4);
  const moment = of.at === null ? null : place(of.at, of.at, range);
  return (
    <svg class="picture" height={height} aria-hidden="true">
      {of.lines.map((node, index) => {
        const at = place(node.start, node.end, range);
        return at ? (
          <rect
            key={node.key}
            class={serviceClass(timeline, node.service) + (node.failed ? ' failed' : chain.has(node) ? '' : ' aside')}
            x={`${at.x.toFixed(2)}%`}
            y={2 + index * lineHeight}
            width={`${Math.max(0.25, at.width).toFixed(2)}%`}
            height={lineHeight - 1}
          />
        ) : null;
      })}
      {moment ? <line class="moment" x1={`${moment.x}%`} x2={`${moment.x}%`} y1="0" y2="100%" /> : null}
    </svg>
  );
}

function Chain({id, timeline, chain}: {id: string; timeline: Timeline; chain: Node[]}) {
  const left = chain.length > chainMax ? chain.length - chainMax : 0;
  const shown = left > 0 ? [...chain.slice(0, chainTop), ...chain.slice(chainTop + left)] : chain;
  return (
    <ol class="chain" aria-label="Calls that led to the error, the outermost first">
      {shown.map((node, index) => (
        <li key={node.key}>
          {left > 0 && index === chainTop ? <span class="dim">… {plural(left, 'call')} between …</span> : null}
          <a href={hrefs.request(id, node.span!.span_id)} class={node.failed ? 'bad' : ''}>
            <span class={'swatch ' + serviceClass(timeline, node.service)} />
            <Text text={node.span!.name || '(unnamed span)'} />
          </a>{' '}
          <span class="dim">
            <Text text={node.service} /> {duration(node.end - node.start)}
          </span>
        </li>
      ))}
    </ol>
  );
}

function Logs({of}: {of: Around}) {
  return (
    <>
      <h3>
        Logs before it{' '}
        {of.earlier > 0 ? (
          <span class="dim">
            the last {of.logs.length} of {of.logs.length + of.earlier}
          </span>
        ) : null}
      </h3>
      <ol class="before">
        {of.logs.map(node => (
          <li key={node.key}>
            <time>{of.at === null ? `+${duration(node.start)}` : `−${duration(of.at - node.start)}`}</time>
            <span class={`severity severity-${Math.min(5, Math.floor(((node.log!.severity_number ?? 9) - 1) / 4))}`}>
              <Text text={node.log!.severity || 'LOG'} />
            </span>
            <span class="dim">
              <Text text={node.service} />
            </span>
            <span class="log-text">
              <Text text={logText(node.log!).slice(0, logShown)} />
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}

const undecided: Record<string, string> = {
  waiting: 'Whether it is kept is not yet decided; its spans and logs appear here when it is.',
  drop: 'Sampling dropped its spans and logs; only its errors are kept.',
};

export function AroundIt({event}: {event: EventDetail}) {
  const id = event.request_id || event.trace_id;
  const {data: request} = usePolled<RequestDocument>(id ? paths.request(id) : null, known =>
    known?.verdict?.decision === 'waiting' ? waitingMs : 0,
  );
  const timeline = useMemo(() => (request ? build(request) : null), [request]);
  const of = useMemo(() => timeline && around(timeline, event, logsMax, linesMax), [timeline, event]);
  if (!id || !request || !timeline || !of) return null;
  const why = undecided[request.verdict?.decision ?? ''];
  const nothing = timeline.spans === 0 && of.logs.length === 0;
  if (nothing && !why && request.events.length <= 1) return null; // an error that comes alone
  const others = request.events.filter(each => each.event_id !== event.event_id).length;
  return (
    <section class="around" aria-labelledby="around-title">
      <div class="section-head">
        <h2 id="around-title">The request around it</h2>
        <a class="button" href={hrefs.request(id, event.span_id)}>
          Open <kbd>o</kbd>
        </a>
      </div>
      {nothing ? (
        <p class="dim">{why ?? 'Of this request only its errors are kept.'}</p>
      ) : (
        <div class="card">
          <p>
            {[
              timeline.spans > 0 ? duration(timeline.length) : '',
              plural(timeline.spans, 'span'),
              request.logs.length > 0 ? plural(request.logs.length, 'log record') : '',
              plural(timeline.services.length, 'service'),
            ]
              .filter(Boolean)
              .join(' · ')}
            {others > 0 ? (
              <>
                {' · '}
                <a class="bad" href={hrefs.request(id)}>
                  {plural(others, 'other error')}
                </a>
              </>
            ) : null}
          </p>
          {of.lines.length > 1 ? <Picture timeline={timeline} of={of} /> : null}
          {of.chain.length > 0 ? <Chain id={id} timeline={timeline} chain={of.chain} /> : null}
          {of.logs.length > 0 ? <Logs of={of} /> : null}
        </div>
      )}
    </section>
  );
}
