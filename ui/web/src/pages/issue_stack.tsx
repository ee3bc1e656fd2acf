// SPDX-License-Identifier: Apache-2.0
//
// The exceptions of an event with their frames: what is the application's first and the rest folded, everything, or as
// text.
import type {EventDocument, Exception, Frame} from '../api';
import {
  exceptionIndices,
  exceptionsOf,
  frameIndices,
  frameLocation,
  framesOf,
  frameToOpen,
  groupFrames,
  isRecord,
  rawText,
  sourceLines,
  text,
} from '../event';
import {plural} from '../format';
import {useKeys} from '../hooks';
import {metaAt, type Meta} from '../meta';
import {Copy} from '../parts/copy';
import {Lines, Text} from '../parts/text';
import {Pairs} from '../parts/values';

export type StackView = 'relevant' | 'full' | 'raw';

const views: {view: StackView; label: string; key: string; title: string}[] = [
  {view: 'relevant', label: 'Most relevant', key: 'r', title: "The application's frames, those of libraries folded"},
  {view: 'full', label: 'Full', key: 'a', title: 'All frames'},
  {view: 'raw', label: 'Raw', key: 'w', title: 'As text'},
];

interface FrameProps {
  frame: Frame;
  meta: Meta;
  inApp: boolean;
  open: boolean;
}

function FrameRow({frame, meta, inApp, open}: FrameProps) {
  const source = sourceLines(frame);
  const locals = isRecord(frame.vars) ? Object.entries(frame.vars) : [];
  const where = frameLocation(frame);
  const name = (
    <>
      <span class="function">
        <Text text={text(frame.function) || '(anonymous)'} />
      </span>
      {frame.module ? (
        <span class="module">
          <span class="dim"> in </span>
          <Text text={text(frame.module)} />
        </span>
      ) : null}
      <span class="location" title={text(frame.abs_path) || undefined}>
        <Text text={where} />
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
          <pre class="source" tabIndex={0} aria-label={`Source around ${where}`}>
            {source.map((line, index) => (
              <div key={index} class={line.current ? 'current' : ''}>
                <span class="line-number">{line.number ?? ''}</span>
                <Lines text={line.text || ' '} />
              </div>
            ))}
          </pre>
        ) : null}
        {locals.length > 0 ? (
          <details class="locals" open>
            <summary>
              Local variables <span class="dim">{locals.length}</span>
            </summary>
            <Pairs pairs={locals} meta={metaAt(meta, 'vars')} copy />
          </details>
        ) : null}
      </details>
    </li>
  );
}

interface FramesProps {
  exception: Exception;
  meta: Meta;
  full: boolean;
}

export function Frames({exception, meta, full}: FramesProps) {
  const frames = framesOf(exception);
  const places = frameIndices(exception);
  const toOpen = frameToOpen(frames);
  if (frames.length === 0) return <p class="dim">No stack trace came with it.</p>;
  return (
    <ol class="frames" aria-label="Stack frames, newest call first">
      {groupFrames(frames).map(group => {
        const rows = group.frames.map((frame, offset) => {
          const index = group.first + offset;
          return (
            <FrameRow
              key={index}
              frame={frame}
              meta={metaAt(meta, 'stacktrace', 'frames', places[index]!)}
              inApp={group.inApp}
              open={index === toOpen}
            />
          );
        });
        if (group.inApp || full) return rows;
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

function ExceptionBlock({
  index,
  saidAbove,
  ...of
}: FramesProps & {
  index: number;
  saidAbove: boolean; // its value is in the head of the page
}) {
  const {exception} = of;
  const mechanism = isRecord(exception.mechanism) ? exception.mechanism : null;
  return (
    <section class="exception">
      <h3>
        {index > 0 ? <span class="caused-by">caused by </span> : null}
        <Text text={text(exception.type) || 'Error'} />
        {mechanism?.['handled'] === false ? <span class="badge level-fatal">unhandled</span> : null}
        {mechanism?.['handled'] === true ? <span class="badge">handled</span> : null}
        {mechanism?.['type'] && mechanism['type'] !== 'generic' ? (
          <span class="badge" title="How it was caught">
            <Text text={text(mechanism['type'])} />
          </span>
        ) : null}
      </h3>
      {exception.value && !saidAbove ? (
        <pre class="exception-value">
          <Lines text={text(exception.value)} />
        </pre>
      ) : null}
      <Frames {...of} />
    </section>
  );
}

interface StackTraceProps {
  document: EventDocument;
  said: string | null; // the value in the head of the page
  view: StackView;
  onView: (view: StackView) => void;
}

export function StackTrace({document, said, view, onView}: StackTraceProps) {
  const toggle = (to: StackView) => (): void => onView(view === to ? 'relevant' : to);
  useKeys({w: toggle('raw'), a: toggle('full'), r: () => onView('relevant')});
  const exceptions = exceptionsOf(document);
  const places = exceptionIndices(document);
  const meta = metaAt(document['_meta'], 'exception', 'values') ?? metaAt(document['_meta'], 'exception');
  const plain = rawText(exceptions);
  return (
    <section aria-labelledby="stack-title" class="stack">
      <div class="section-head">
        <h2 id="stack-title">Stack trace</h2>
        <Copy text={plain} what="stack trace" />
        <div class="tabs" role="group" aria-label="Frames shown">
          {views.map(each => (
            <button
              key={each.view}
              type="button"
              title={each.title}
              aria-pressed={view === each.view}
              onClick={() => onView(each.view)}
            >
              {each.label} <kbd>{each.key}</kbd>
            </button>
          ))}
        </div>
      </div>
      {view === 'raw' ? (
        <pre class="raw" tabIndex={0} aria-label="Stack trace as text">
          <Lines text={plain} />
        </pre>
      ) : (
        exceptions.map((exception, index) => (
          <ExceptionBlock
            key={index}
            exception={exception}
            meta={metaAt(meta, places[index]!)}
            index={index}
            full={view === 'full'}
            saidAbove={index === 0 && exception.value === said}
          />
        ))
      )}
    </section>
  );
}
