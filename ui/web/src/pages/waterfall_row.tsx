// SPDX-License-Identifier: Apache-2.0
//
// One row of a waterfall: its name on the left, its bar or moment on the right. Bars are SVG with their place in
// percent: no row knows how wide the page is.
import {duration, exact, plural, ticks, toBigInt} from '../format';
import {useMedia} from '../hooks';
import {Icon} from '../parts/icon';
import {Text} from '../parts/text';
import {visible} from '../text';
import {logText, place, type Node, type Range, type Timeline} from '../waterfall';

const colours = 10;
const indentMax = 14;
const momentsMax = 50;
const logShown = 300; // characters

export function serviceClass(timeline: Timeline, service: string): string {
  return 'service-' + (Math.max(0, timeline.services.indexOf(service)) % colours);
}

export function Axis({range}: {range: Range}) {
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
            <text x={x} y="12" dx={late ? -3 : 3} text-anchor={late ? 'end' : 'start'}>
              {duration(range.from + mark).replace(/\.0+ /, ' ')}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

// The marks of the axis through all rows.
export function Grid({range}: {range: Range}) {
  const narrow = useMedia('(max-width: 700px)');
  return (
    <svg class="grid" aria-hidden="true">
      {ticks(0, range.to - range.from, narrow ? 3 : 6)
        .filter(mark => mark > 0)
        .map(mark => {
          const x = percentOf((100 * mark) / (range.to - range.from));
          return <line key={mark} x1={x} x2={x} y1="0" y2="100%" />;
        })}
    </svg>
  );
}

const percentOf = (value: number): string => `${value.toFixed(3)}%`;

interface Place {
  timeline: Timeline;
  range: Range;
  middle: number; // of the row, in pixels
}

function Elsewhere({node, range, middle}: Place & {node: Node}) {
  const later = node.start > range.to;
  return (
    <svg class="bar" aria-hidden="true">
      <text x={later ? '100%' : '0'} y={middle + 4} text-anchor={later ? 'end' : 'start'}>
        {later ? '→' : '←'}
      </text>
    </svg>
  );
}

function Moments({node, timeline, range, middle}: Place & {node: Node}) {
  return (
    <>
      {(node.span?.events ?? []).slice(0, momentsMax).map((event, index) => {
        const ms = Number(toBigInt(event.time_ns) - timeline.baseNs) / 1e6;
        const at = place(ms, ms, range);
        const kind = event.name === 'exception' ? 'failed' : 'noted';
        return at ? <circle key={index} class={'moment ' + kind} cx={percentOf(at.x)} cy={middle} r="3" /> : null;
      })}
    </>
  );
}

function Bar(props: Place & {node: Node}) {
  const {node, timeline, range, middle} = props;
  const at = place(node.start, node.end, range);
  if (!at) return <Elsewhere {...props} />;
  const x = percentOf(at.x);
  if (node.kind === 'log' || node.kind === 'event') {
    return (
      <svg class="bar" aria-hidden="true">
        <circle
          class={'moment ' + (node.failed ? 'failed' : 'log')}
          cx={x}
          cy={middle}
          r={node.kind === 'event' ? 5 : 3.5}
        />
      </svg>
    );
  }
  // The length in words: behind the bar where there is room, else before it, else inside, at its beginning: exceptions
  // are marked at its end as a rule.
  const end = percentOf(at.x + at.width);
  const side = at.x + at.width < 86 ? 'behind' : at.x > 14 ? 'before' : 'inside';
  const label = {behind: {x: end, dx: 6}, before: {x, dx: -6}, inside: {x, dx: 6}}[side];
  const colour = node.kind === 'trace' ? 'trace' : serviceClass(timeline, node.service);
  return (
    <svg class={`bar ${colour}${node.failed ? ' failed' : ''}`} aria-hidden="true">
      <rect class="length" x={x} y={middle - 5} width={percentOf(at.width)} height="10" rx="2" />
      <rect class="least" x={x} y={middle - 5} width="2" height="10" />
      <Moments {...props} />
      <text class={side} x={label.x} dx={label.dx} y={middle + 4} text-anchor={side === 'before' ? 'end' : 'start'}>
        {duration(node.end - node.start)}
      </text>
    </svg>
  );
}

function RowName({node, timeline}: {node: Node; timeline: Timeline}) {
  if (node.kind === 'trace') {
    return (
      <span class="name">
        {node.traceId ? (
          <>
            Trace <code>{visible(node.traceId.slice(0, 16))}…</code>
          </>
        ) : (
          'Without a trace'
        )}
        <span class="dim">
          {' '}
          {plural(node.descendants, 'row')}
          {node.verdict ? `, ${visible(node.verdict.decision)}` : ''}
        </span>
      </span>
    );
  }
  if (node.kind === 'log') {
    return (
      <>
        <span class={`severity severity-${Math.min(5, Math.floor(((node.log!.severity_number ?? 9) - 1) / 4))}`}>
          <Text text={node.log!.severity || 'LOG'} />
        </span>
        <span class="name log-text">
          <Text text={logText(node.log!).slice(0, logShown)} />
        </span>
      </>
    );
  }
  if (node.kind === 'event')
    return (
      <>
        <span class="severity severity-5">error</span>
        <span class="name bad">
          <Text text={node.event!.title} />
        </span>
      </>
    );
  return (
    <>
      <span class={'swatch ' + serviceClass(timeline, node.service)} />
      <span class={'name' + (node.failed ? ' bad' : '')}>
        <Text text={node.span!.name || '(unnamed span)'} />
      </span>
      <span class="dim row-service">
        <Text text={node.service} />
      </span>
      {node.orphan ? (
        <span class="badge" title="Its parent span is not here">
          no parent
        </span>
      ) : null}
    </>
  );
}

function ariaLabel(node: Node): string {
  switch (node.kind) {
    case 'trace':
      return `Trace ${node.traceId || 'unknown'}, ${plural(node.descendants, 'row')}`;
    case 'log':
      return visible(`Log ${node.log!.severity ?? ''}: ${logText(node.log!).slice(0, 200)}`);
    case 'event':
      return visible(`Error: ${node.event!.title}`);
    case 'span':
      return visible(
        `${node.span!.name}, ${node.service}, ${duration(node.end - node.start)}${node.failed ? ', failed' : ''}`,
      );
  }
}

export interface RowProps extends Place {
  node: Node;
  index: number;
  level: number; // 0: the outermost
  indent: number; // pixels a level
  selected: boolean;
  folded: boolean;
  onSelect: () => void;
  onFold: () => void;
}

export function Row({node, index, level, indent, selected, folded, onSelect, onFold, ...at}: RowProps) {
  const canFold = node.children.length > 0;
  const toggle = (event: Event): void => {
    event.stopPropagation();
    onFold();
  };
  return (
    <div
      id={`row-${index}`}
      data-key={node.key}
      role="treeitem"
      aria-level={level + 1}
      aria-label={ariaLabel(node)}
      aria-expanded={canFold ? !folded : undefined}
      aria-selected={selected}
      class={`row row-${node.kind}${node.failed ? ' row-failed' : ''}`}
      onClick={onSelect}
    >
      <div class="row-name" style={{paddingLeft: `${Math.min(indentMax, level) * indent}px`}}>
        {canFold ? (
          <button type="button" tabIndex={-1} class="fold" aria-label={folded ? 'Unfold' : 'Fold'} onClick={toggle}>
            <Icon name={folded ? 'right' : 'down'} />
          </button>
        ) : (
          <span class="fold" />
        )}
        <RowName node={node} timeline={at.timeline} />
        {folded ? (
          <span class={'badge' + (node.failedBelow ? ' level-error' : '')}>{exact(node.descendants)}</span>
        ) : null}
      </div>
      <Bar node={node} {...at} />
    </div>
  );
}
