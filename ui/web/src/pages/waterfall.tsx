// SPDX-License-Identifier: Apache-2.0
//
// The waterfall: a tree of rows beside a time axis. Only the rows near the window exist in the page, so that thousands of
// spans cost no more than a screenful. Bars are SVG with their place in percent: no row knows how wide the page is.
import {useEffect, useLayoutEffect, useMemo, useRef, useState} from 'preact/hooks';
import type {RequestDocument} from '../api';
import {duration, exact, plural, ticks, toBigInt} from '../format';
import {useKeys, useMedia} from '../hooks';
import {replace} from '../navigation';
import {Icon} from '../parts/icon';
import {Text} from '../parts/text';
import {hrefs} from '../route';
import {visible} from '../text';
import {logText, place, rows, windowOf, type Node, type Range, type Timeline} from '../waterfall';
import {Details} from './waterfall_details';

const rowHeightWide = 26;
const rowHeightNarrow = 44;
const marginRows = 12;
const colours = 10;
const indentMax = 14;

export function serviceClass(timeline: Timeline, service: string): string {
  return 'service-' + (Math.max(0, timeline.services.indexOf(service)) % colours);
}

// Which rows the window shows, renewed while it scrolls.
function useWindow(list: {current: HTMLElement | null}, count: number, rowHeight: number): {from: number; to: number} {
  const [shown, setShown] = useState({from: 0, to: 80});
  useLayoutEffect(() => {
    const measure = (): void => {
      if (!list.current) return;
      const now = windowOf(count, rowHeight, -list.current.getBoundingClientRect().top, window.innerHeight, marginRows);
      setShown(before => (before.from === now.from && before.to === now.to ? before : now));
    };
    measure();
    window.addEventListener('scroll', measure, {passive: true});
    window.addEventListener('resize', measure);
    return () => {
      window.removeEventListener('scroll', measure);
      window.removeEventListener('resize', measure);
    };
  }, [count, rowHeight]);
  return {from: Math.min(shown.from, count), to: Math.min(shown.to, count)};
}

function Axis({range}: {range: Range}) {
  const narrow = useMedia('(max-width: 700px)');
  const marks = ticks(0, range.to - range.from, narrow ? 3 : 6);
  return (
    <svg class="axis" role="img" aria-label={`From ${duration(range.from)} to ${duration(range.to)}`}>
      {marks.map(mark => {
        const x = `${((100 * mark) / (range.to - range.from)).toFixed(3)}%`;
        const late = mark > 0.9 * (range.to - range.from);
        return (
          <g key={mark}>
            <line x1={x} x2={x} y1="14" y2="100%" />
            <text x={x} y="12" dx={late ? -3 : 3} text-anchor={late ? 'end' : 'start'}>{duration(range.from + mark)}</text>
          </g>
        );
      })}
    </svg>
  );
}

function Bar({node, timeline, range, middle}: {node: Node; timeline: Timeline; range: Range; middle: number}) {
  const at = place(node.start, node.end, range);
  if (!at) return <svg class="bar" aria-hidden="true"><text x={node.start > range.to ? '100%' : '0'} y={middle + 4} text-anchor={node.start > range.to ? 'end' : 'start'}>{node.start > range.to ? '→' : '←'}</text></svg>;
  const x = `${at.x.toFixed(3)}%`;
  if (node.kind === 'log' || node.kind === 'event') {
    return <svg class="bar" aria-hidden="true"><circle class={'moment ' + (node.failed ? 'failed' : 'log')} cx={x} cy={middle} r={node.kind === 'event' ? 5 : 3.5} /></svg>;
  }
  const width = `${at.width.toFixed(3)}%`;
  const end = at.x + at.width;
  const label = end < 86 ? {x: `${end.toFixed(3)}%`, dx: 6, anchor: 'start' as const}
    : at.x > 14 ? {x, dx: -6, anchor: 'end' as const} : {x: `${end.toFixed(3)}%`, dx: -6, anchor: 'end' as const};
  const moments = (node.span?.events ?? []).slice(0, 50).map((event, index) => {
    const ms = Number(toBigInt(event.time_ns) - timeline.baseNs) / 1e6;
    const spot = place(ms, ms, range);
    return spot ? <circle key={index} class={'moment ' + (event.name === 'exception' ? 'failed' : 'noted')} cx={`${spot.x.toFixed(3)}%`} cy={middle} r="3" /> : null;
  });
  return (
    <svg class={`bar ${node.kind === 'trace' ? 'trace' : serviceClass(timeline, node.service)}${node.failed ? ' failed' : ''}`} aria-hidden="true">
      <rect class="length" x={x} y={middle - 5} width={width} height="10" rx="2" />
      <rect class="least" x={x} y={middle - 5} width="2" height="10" />
      {moments}
      <text class={label.anchor === 'end' && label.dx === -6 && at.x <= 14 ? 'inside' : ''} x={label.x} dx={label.dx} y={middle + 4} text-anchor={label.anchor}>{duration(node.end - node.start)}</text>
    </svg>
  );
}

function RowName({node, timeline}: {node: Node; timeline: Timeline}) {
  if (node.kind === 'trace') {
    return <span class="name">{node.traceId ? <>Trace <code>{visible(node.traceId.slice(0, 16))}…</code></> : 'Without a trace'}
      <span class="dim"> {plural(node.descendants, 'row')}{node.verdict ? `, ${visible(node.verdict.decision)}` : ''}</span></span>;
  }
  if (node.kind === 'log') {
    return <><span class={`severity severity-${Math.min(5, Math.floor(((node.log!.severity_number ?? 9) - 1) / 4))}`}><Text text={node.log!.severity || 'LOG'} /></span>
      <span class="name log-text"><Text text={logText(node.log!).slice(0, 300)} /></span></>;
  }
  if (node.kind === 'event') return <><span class="severity severity-5">error</span><span class="name bad"><Text text={node.event!.title} /></span></>;
  return (
    <>
      <span class={'swatch ' + serviceClass(timeline, node.service)} />
      <span class={'name' + (node.failed ? ' bad' : '')}><Text text={node.span!.name || '(unnamed span)'} /></span>
      <span class="dim row-service"><Text text={node.service} /></span>
      {node.orphan ? <span class="badge" title="Its parent span is not here">no parent</span> : null}
    </>
  );
}

function ariaLabel(node: Node): string {
  switch (node.kind) {
    case 'trace': return `Trace ${node.traceId || 'unknown'}, ${plural(node.descendants, 'row')}`;
    case 'log': return visible(`Log ${node.log!.severity ?? ''}: ${logText(node.log!).slice(0, 200)}`);
    case 'event': return visible(`Error: ${node.event!.title}`);
    case 'span': return visible(`${node.span!.name}, ${node.service}, ${duration(node.end - node.start)}${node.failed ? ', failed' : ''}`);
  }
}

export function Waterfall({request, timeline, spanId}: {request: RequestDocument; timeline: Timeline; spanId: string | null}) {
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [logs, setLogs] = useState(true);
  const [find, setFind] = useState('');
  const [selectedKey, setSelectedKey] = useState<string | null>(null);
  const [scale, setScale] = useState<Range | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const narrow = useMedia('(max-width: 700px)');
  const covered = useMedia('(max-width: 1000px)'); // the details lie over the lower half
  const rowHeight = narrow ? rowHeightNarrow : rowHeightWide;
  const middle = narrow ? 34 : 13;
  const shown = useMemo(() => rows(timeline, {folded, logs, text: find.trim().toLowerCase()}), [timeline, folded, logs, find]);
  const {from, to} = useWindow(list, shown.length, rowHeight);
  const range = scale ?? {from: 0, to: timeline.length};
  const selected = selectedKey ? timeline.nodes.get(selectedKey) ?? null : null;
  const minDepth = timeline.roots.length === 1 ? 1 : 0;

  const reveal = (index: number): void => {
    if (!list.current) return;
    const top = list.current.getBoundingClientRect().top + index * rowHeight;
    const head = narrow ? 40 : 90;
    const foot = covered && selectedKey ? window.innerHeight * 0.56 : 24;
    if (top < head) window.scrollBy(0, top - head);
    else if (top + rowHeight > window.innerHeight - foot) window.scrollBy(0, top + rowHeight - (window.innerHeight - foot));
  };
  // The details make the frame narrower and what is above the rows taller: the row that was chosen stays where it is.
  const chosenTop = useRef<number | null>(null);
  const lastKey = useRef<string | null>(null);
  const topOf = (key: string | null): number | null =>
    list.current?.querySelector(`[data-key="${CSS.escape(key ?? '')}"]`)?.getBoundingClientRect().top ?? null;
  const select = (node: Node | null | undefined): void => {
    chosenTop.current = topOf(node?.key ?? selectedKey);
    lastKey.current = node?.key ?? selectedKey;
    setSelectedKey(node?.key ?? null);
    replace(hrefs.request(request.id, node?.span?.span_id));
  };
  const index = selected ? shown.indexOf(selected) : -1;
  const move = (by: number) => (): void => select(shown[Math.max(0, Math.min(shown.length - 1, index < 0 ? 0 : index + by))]);
  const fold = (node: Node, closed: boolean): void => {
    const now = new Set(folded);
    if (closed) now.add(node.key);
    else now.delete(node.key);
    setFolded(now);
  };
  const foldOrUp = (): void => {
    if (!selected) return;
    if (selected.children.length > 0 && !folded.has(selected.key)) fold(selected, true);
    else select(shown.slice(0, index).reverse().find(node => node.depth < selected.depth) ?? selected);
  };
  const unfoldOrDown = (): void => {
    if (!selected) return;
    if (folded.has(selected.key)) fold(selected, false);
    else if (selected.children.length > 0) move(1)();
  };
  const nextError = (): void => {
    const failed = shown.map((node, at) => (node.failed ? at : -1)).filter(at => at >= 0);
    const at = failed.find(each => each > index) ?? failed[0];
    if (at !== undefined) select(shown[at]);
  };
  const toggleScale = (): void => {
    if (scale) setScale(null);
    else if (selected && selected.end > selected.start) {
      const margin = (selected.end - selected.start) * 0.05;
      setScale({from: Math.max(0, selected.start - margin), to: Math.min(timeline.length, selected.end + margin)});
    }
  };
  useKeys({
    j: move(1), k: move(-1), h: foldOrUp, l: unfoldOrDown, x: toggleScale, n: nextError, L: () => setLogs(!logs),
    f: () => input.current?.select(), Escape: () => select(null),
    Enter: () => selected?.event ? document.getElementById('open-error')?.click() : index < 0 && move(0)(),
  });
  // The span in the address, once.
  useEffect(() => {
    const node = spanId ? [...timeline.nodes.values()].find(each => each.span?.span_id === spanId) : null;
    if (!node || selectedKey) return;
    setSelectedKey(node.key);
  }, [spanId, timeline]);
  useLayoutEffect(() => {
    const top = topOf(lastKey.current);
    if (chosenTop.current !== null && top !== null && top !== chosenTop.current) window.scrollBy(0, top - chosenTop.current);
    chosenTop.current = null;
  }, [selectedKey]);
  // Once the details are there too: on a phone they cover half of the page.
  useEffect(() => {
    if (index >= 0) reveal(index);
  }, [selectedKey]);
  const onTreeKey = (event: KeyboardEvent): void => {
    const handler = {ArrowDown: move(1), ArrowUp: move(-1), ArrowLeft: foldOrUp, ArrowRight: unfoldOrDown,
      Home: () => select(shown[0]), End: () => select(shown[shown.length - 1])}[event.key];
    if (!handler) return;
    event.preventDefault();
    handler();
  };
  const parents = (): Set<string> => new Set([...timeline.nodes.values()].filter(node => node.depth >= minDepth + 1 && node.children.length > 0).map(node => node.key));

  return (
    <div class={'waterfall-frame' + (selected ? ' with-details' : '')}>
      <div class="waterfall">
        <div class="waterfall-tools">
          <input ref={input} type="search" class="text-filter" value={find} placeholder="Find in this request" aria-label="Find in this request" maxLength={200}
            spellcheck={false} onInput={event => setFind(event.currentTarget.value)} />
          <button type="button" aria-pressed={logs} onClick={() => setLogs(!logs)} disabled={request.logs.length === 0}>Logs</button>
          <button type="button" onClick={() => setFolded(folded.size > 0 ? new Set<string>() : parents())}>{folded.size > 0 ? 'Unfold all' : 'Fold all'}</button>
          <button type="button" onClick={nextError} disabled={timeline.failures + request.events.length === 0}>Next error <kbd>n</kbd></button>
          {scale ? <button type="button" aria-pressed="true" onClick={() => setScale(null)}>Whole length <kbd>x</kbd></button>
            : selected && selected.end > selected.start ? <button type="button" onClick={toggleScale}>Scale to selected <kbd>x</kbd></button> : null}
          <ul class="legend" aria-label="Services">
            {timeline.services.slice(0, 12).map(service => <li key={service}><span class={'swatch ' + serviceClass(timeline, service)} /><Text text={service} /></li>)}
            {timeline.services.length > 12 ? <li class="dim">and {exact(timeline.services.length - 12)} more</li> : null}
          </ul>
        </div>
        <div class="waterfall-head" aria-hidden="true"><span>{plural(shown.length, 'row')}</span><Axis range={range} /></div>
        <div ref={list} class="rows" role="tree" aria-label="Spans, logs and errors" tabIndex={0} onKeyDown={onTreeKey}
          aria-activedescendant={index >= from && index < to ? 'row-' + index : undefined}
          style={{height: `${shown.length * rowHeight}px`}}>
          <div class="rows-shown" style={{transform: `translateY(${from * rowHeight}px)`}}>
            {shown.slice(from, to).map((node, offset) => {
              const isFolded = folded.has(node.key);
              const canFold = node.children.length > 0;
              return (
                <div key={node.key} data-key={node.key} id={`row-${from + offset}`} role="treeitem" aria-level={node.depth - minDepth + 1} aria-label={ariaLabel(node)}
                  aria-expanded={canFold ? !isFolded : undefined} aria-selected={node === selected} class={`row row-${node.kind}${node.failed ? ' row-failed' : ''}`}
                  onClick={() => select(node === selected ? null : node)}>
                  <div class="row-name" style={{paddingLeft: `${Math.min(indentMax, node.depth - minDepth) * (narrow ? 8 : 14)}px`}}>
                    {canFold ? (
                      <button type="button" tabIndex={-1} class="fold" aria-label={isFolded ? 'Unfold' : 'Fold'} onClick={event => {
                        event.stopPropagation();
                        fold(node, !isFolded);
                      }}><Icon name={isFolded ? 'right' : 'down'} /></button>
                    ) : <span class="fold" />}
                    <RowName node={node} timeline={timeline} />
                    {isFolded ? <span class={'badge' + (node.failedBelow ? ' level-error' : '')}>{exact(node.descendants)}</span> : null}
                  </div>
                  <Bar node={node} timeline={timeline} range={range} middle={middle} />
                </div>
              );
            })}
          </div>
        </div>
        {shown.length === 0 ? <p class="empty dim">Nothing in this request matches.</p> : null}
      </div>
      {selected ? <Details node={selected} timeline={timeline} onClose={() => select(null)} /> : null}
    </div>
  );
}
