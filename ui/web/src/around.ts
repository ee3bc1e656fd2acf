// SPDX-License-Identifier: Apache-2.0
//
// What stands around one error in its request: the calls that led to it, the logs before it, and the spans of the whole
// as lines of a small picture.
import type {EventDetail} from './api';
import {parseTime} from './format';
import type {Node, Timeline} from './waterfall';

export interface Around {
  chain: Node[]; // the outermost call first, the failing span last
  logs: Node[]; // the last ones before the error, oldest first
  earlier: number; // logs before those
  lines: Node[]; // spans by start
  at: number | null; // when it happened, ms from the start of the request
}

export function around(timeline: Timeline, event: EventDetail, logsMax: number, linesMax: number): Around {
  const parents = new Map<Node, Node>();
  for (const node of timeline.nodes.values()) node.children.forEach(child => parents.set(child, node));
  const own = timeline.nodes.get('event:' + event.event_id);
  let at: Node | undefined = own ?? timeline.nodes.get(`${event.trace_id}:${event.span_id}`);
  const chain: Node[] = [];
  for (; at; at = parents.get(at)) if (at.kind === 'span') chain.unshift(at);
  const happened = own?.start ?? momentOf(timeline, event);

  const nodes = [...timeline.nodes.values()];
  const before = nodes
    .filter(node => node.kind === 'log' && (happened === null || node.start <= happened))
    .sort((a, b) => a.start - b.start);
  const spans = nodes.filter(node => node.kind === 'span');
  const wanted = new Set(chain);
  const byLength = [...spans].sort((a, b) => b.end - b.start - (a.end - a.start));
  for (const node of byLength) if (wanted.size < linesMax) wanted.add(node);
  return {
    chain,
    logs: before.slice(-logsMax),
    earlier: Math.max(0, before.length - logsMax),
    lines: spans.filter(node => wanted.has(node)).sort((a, b) => a.start - b.start || b.end - a.end),
    at: happened,
  };
}

function momentOf(timeline: Timeline, event: EventDetail): number | null {
  const ms = parseTime(event.timestamp);
  return Number.isNaN(ms) ? null : ms - Number(timeline.baseNs / 1000n) / 1000;
}
