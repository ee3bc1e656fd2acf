// SPDX-License-Identifier: Apache-2.0
//
// The waterfall: a tree of rows beside a time axis. Only the rows near the window exist in the page, so that thousands
// of spans cost no more than a screenful.
import {useRef, useState} from 'preact/hooks';
import type {RequestDocument} from '../api';
import {exact, plural} from '../format';
import {useKeys} from '../hooks';
import {Text} from '../parts/text';
import type {Node, Timeline} from '../waterfall';
import {Details} from './waterfall_details';
import {Axis, Grid, Row, serviceClass} from './waterfall_row';
import {
  useFolding,
  useLayout,
  useRows,
  useScale,
  useSelection,
  useWindow,
  type Folding,
  type Layout,
  type Scale,
  type Selection,
} from './waterfall_state';

const servicesShown = 12;

interface View {
  request: RequestDocument;
  timeline: Timeline;
  shown: Node[];
  selection: Selection;
  folding: Folding;
  scale: Scale;
}

// Left and right as in any tree: fold or go to the parent, unfold or go to the first child.
function foldOrUp({shown, selection, folding}: View): void {
  const {selected, index, select} = selection;
  if (!selected) return;
  if (selected.children.length > 0 && !folding.folded.has(selected.key)) folding.toggle(selected);
  else
    select(
      shown
        .slice(0, Math.max(0, index))
        .reverse()
        .find(node => node.depth < selected.depth) ?? selected,
    );
}

function unfoldOrDown({selection, folding}: View): void {
  const {selected, move} = selection;
  if (!selected) return;
  if (folding.folded.has(selected.key)) folding.toggle(selected);
  else if (selected.children.length > 0) move(1);
}

function nextError({shown, selection}: View): void {
  const after = shown.find((node, at) => node.failed && at > selection.index);
  selection.select(after ?? shown.find(node => node.failed) ?? selection.selected);
}

export function Waterfall({
  id,
  request,
  timeline,
  spanId,
}: {
  id: string;
  request: RequestDocument;
  timeline: Timeline;
  spanId: string | null;
}) {
  const [logs, setLogs] = useState(true);
  const [find, setFind] = useState('');
  const list = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const layout = useLayout();
  const folding = useFolding(timeline);
  const scale = useScale(timeline);
  const shown = useRows(timeline, folding.folded, logs, find);
  const selection = useSelection({id, timeline, shown, spanId, list, layout});
  const {selected, index, select, move} = selection;
  const view = {request, timeline, shown, selection, folding, scale};

  useKeys({
    j: () => move(1),
    k: () => move(-1),
    h: () => foldOrUp(view),
    l: () => unfoldOrDown(view),
    n: () => nextError(view),
    x: () => scale.toggle(selected),
    L: () => setLogs(!logs),
    f: () => input.current?.select(),
    Escape: () => select(null),
    Enter: () => {
      if (selected?.event) document.getElementById('open-error')?.click();
      else if (index < 0) move(0);
    },
  });
  return (
    <div class={'waterfall-frame' + (selected ? ' with-details' : '')}>
      <div class="waterfall">
        <div class="waterfall-tools">
          <input
            ref={input}
            type="search"
            class="text-filter"
            value={find}
            placeholder="Find in this request"
            aria-label="Find in this request"
            maxLength={200}
            spellcheck={false}
            onInput={event => setFind(event.currentTarget.value)}
          />
          <button type="button" aria-pressed={logs} onClick={() => setLogs(!logs)} disabled={request.logs.length === 0}>
            Logs
          </button>
          <Tools view={view} />
        </div>
        <div class="waterfall-head" aria-hidden="true">
          <span>{plural(shown.length, 'row')}</span>
          <Axis range={scale.range} />
        </div>
        <Tree view={view} list={list} layout={layout} />
        {shown.length === 0 ? <p class="empty dim">Nothing in this request matches.</p> : null}
      </div>
      {selected ? <Details node={selected} timeline={timeline} onClose={() => select(null)} /> : null}
    </div>
  );
}

function Tools({view}: {view: View}) {
  const {request, timeline, selection, folding, scale} = view;
  const {selected} = selection;
  const canScale = scale.scaled || (selected !== null && selected.end > selected.start);
  return (
    <>
      <button type="button" onClick={folding.toggleAll}>
        {folding.folded.size > 0 ? 'Unfold all' : 'Fold all'}
      </button>
      <button type="button" onClick={() => nextError(view)} disabled={timeline.failures + request.events.length === 0}>
        Next error <kbd>n</kbd>
      </button>
      <button type="button" aria-pressed={scale.scaled} disabled={!canScale} onClick={() => scale.toggle(selected)}>
        {scale.scaled ? 'Whole length' : 'Scale to selected'} <kbd>x</kbd>
      </button>
      <ul class="legend" aria-label="Services">
        {timeline.services.slice(0, servicesShown).map(service => (
          <li key={service}>
            <span class={'swatch ' + serviceClass(timeline, service)} />
            <Text text={service} />
          </li>
        ))}
        {timeline.services.length > servicesShown ? (
          <li class="dim">and {exact(timeline.services.length - servicesShown)} more</li>
        ) : null}
      </ul>
    </>
  );
}

function Tree({view, list, layout}: {view: View; list: {current: HTMLDivElement | null}; layout: Layout}) {
  const {timeline, shown, selection, folding, scale} = view;
  const {from, to} = useWindow(list, shown.length, layout.rowHeight);
  const {selected, index, select, move} = selection;
  const outermost = timeline.roots.length === 1 ? 1 : 0;
  const onKey = (event: KeyboardEvent): void => {
    const handler = {
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      ArrowLeft: () => foldOrUp(view),
      ArrowRight: () => unfoldOrDown(view),
      Home: () => select(shown[0]),
      End: () => select(shown[shown.length - 1]),
    }[event.key];
    if (!handler) return;
    event.preventDefault();
    handler();
  };
  return (
    <div
      ref={list}
      class="rows"
      role="tree"
      aria-label="Spans, logs and errors"
      tabIndex={0}
      onKeyDown={onKey}
      aria-activedescendant={index >= from && index < to ? 'row-' + index : undefined}
      style={{height: `${shown.length * layout.rowHeight}px`}}
    >
      <Grid range={scale.range} />
      <div class="rows-shown" style={{transform: `translateY(${from * layout.rowHeight}px)`}}>
        {shown.slice(from, to).map((node, offset) => (
          <Row
            key={node.key}
            node={node}
            index={from + offset}
            level={node.depth - outermost}
            indent={layout.indent}
            timeline={timeline}
            range={scale.range}
            middle={layout.middle}
            selected={node === selected}
            folded={folding.folded.has(node.key)}
            onFold={() => folding.toggle(node)}
            onSelect={() => select(node === selected ? null : node)}
          />
        ))}
      </div>
    </div>
  );
}
