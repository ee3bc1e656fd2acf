// SPDX-License-Identifier: Apache-2.0
//
// A request as rows of a waterfall. build() puts spans under their parents and logs and errors under their spans, once
// per document; rows() flattens that for what is folded and shown. Times become milliseconds from the request's first
// moment: nanoseconds since 1970 do not fit a number, their differences do.
//
// Spans come from outside: parents may be missing, be their own descendants, or be there twice. Every span is in the
// result exactly once, and nothing here recurses.
import type {Log, RequestDocument, RequestEvent, Span, TraceVerdict} from './api';
import {toBigInt} from './format';

export interface Node {
  kind: 'trace' | 'span' | 'log' | 'event';
  key: string;
  start: number; // ms
  end: number;
  depth: number;
  children: Node[]; // by start
  descendants: number;
  failed: boolean; // this node is an error
  failedBelow: boolean;
  service: string;
  span?: Span;
  log?: Log;
  event?: RequestEvent;
  traceId?: string;
  verdict?: TraceVerdict;
  orphan?: boolean; // names a parent that is not here
}

export interface Timeline {
  baseNs: bigint;
  length: number; // ms, above 0
  roots: Node[];
  nodes: Map<string, Node>;
  services: string[]; // by first appearance
  spans: number;
  failures: number;
}

const noTrace = '';

function blank(kind: Node['kind'], key: string, service: string | null | undefined): Node {
  return {
    kind,
    key,
    start: 0,
    end: 0,
    depth: 0,
    children: [],
    descendants: 0,
    failed: false,
    failedBelow: false,
    service: service ?? '',
  };
}

function spanNodes(spans: Span[], offset: (ns: string) => number): {nodes: Node[]; byId: Map<string, Node>} {
  const byId = new Map<string, Node>();
  const nodes = spans.map((span, index) => {
    const id = span.trace_id + ':' + span.span_id;
    const node = blank('span', byId.has(id) ? `${id}#${index}` : id, span.service);
    node.span = span;
    node.traceId = span.trace_id;
    node.start = offset(span.start_ns);
    node.end = Math.max(node.start, offset(span.end_ns));
    node.failed = span.status === 'error';
    if (!byId.has(id)) byId.set(id, node);
    return node;
  });
  return {nodes, byId};
}

// Hangs spans under their parents and returns the roots. What is then reached from no root is in a circle: its first
// span is cut from its parent and becomes a root.
function link(nodes: Node[], byId: Map<string, Node>): Node[] {
  const parents = new Map<Node, Node>();
  const roots: Node[] = [];
  for (const node of nodes) {
    const span = node.span!;
    const parent = span.parent_span_id ? byId.get(span.trace_id + ':' + span.parent_span_id) : undefined;
    if (parent) {
      parents.set(node, parent);
      parent.children.push(node);
    } else {
      node.orphan = Boolean(span.parent_span_id);
      roots.push(node);
    }
  }
  const reached = new Set<Node>();
  const reach = (root: Node): void => {
    const stack = [root];
    while (stack.length > 0) {
      const node = stack.pop()!;
      reached.add(node);
      for (const child of node.children) stack.push(child);
    }
  };
  roots.forEach(reach);
  for (const node of nodes) {
    if (reached.has(node)) continue;
    const siblings = parents.get(node)!.children;
    siblings.splice(siblings.indexOf(node), 1);
    node.orphan = true;
    roots.push(node);
    reach(node);
  }
  return roots;
}

function finish(roots: Node[]): void {
  const order: Node[] = [];
  const stack = [...roots];
  while (stack.length > 0) {
    const node = stack.pop()!;
    order.push(node);
    node.children.sort((a, b) => a.start - b.start || b.end - a.end);
    for (const child of node.children) {
      child.depth = node.depth + 1;
      stack.push(child);
    }
  }
  for (let i = order.length - 1; i >= 0; i--) {
    const node = order[i]!;
    for (const child of node.children) {
      node.descendants += 1 + child.descendants;
      if (child.failed || child.failedBelow) node.failedBelow = true;
      if (node.kind === 'trace') node.end = Math.max(node.end, child.end);
    }
  }
}

export function build(document: RequestDocument): Timeline {
  let baseNs: bigint | null = null;
  let lastNs = 0n;
  const see = (ns: string): void => {
    const value = toBigInt(ns);
    if (value === 0n) return;
    if (baseNs === null || value < baseNs) baseNs = value;
    if (value > lastNs) lastNs = value;
  };
  document.spans.forEach(span => (see(span.start_ns), see(span.end_ns)));
  document.logs.forEach(log => see(log.time_ns));
  document.events.forEach(event => see(event.time_ns));
  const base: bigint = baseNs ?? 0n;
  const offset = (ns: string): number => {
    const value = toBigInt(ns);
    return value === 0n ? 0 : Number(value - base) / 1e6;
  };

  const {nodes, byId} = spanNodes(document.spans, offset);
  const traces = new Map<string, Node>();
  const traceOf = (id: string, start: number): Node => {
    let node = traces.get(id);
    if (!node) {
      node = blank('trace', 'trace:' + id, '');
      node.traceId = id;
      node.start = node.end = start;
      node.verdict = document.verdict?.traces?.find(verdict => verdict.trace_id === id);
      traces.set(id, node);
    }
    node.start = Math.min(node.start, start);
    return node;
  };
  for (const root of link(nodes, byId)) traceOf(root.span!.trace_id, root.start).children.push(root);

  const attach = (node: Node, traceId: string | null | undefined, spanId: string | null | undefined): void => {
    const owner = traceId && spanId ? byId.get(traceId + ':' + spanId) : undefined;
    (owner ?? traceOf(traceId || noTrace, node.start)).children.push(node);
  };
  document.logs.forEach((log, index) => {
    const node = blank('log', `log:${index}`, log.service);
    node.log = log;
    node.start = node.end = offset(log.time_ns);
    node.failed = (log.severity_number ?? 0) >= 17;
    attach(node, log.trace_id, log.span_id);
  });
  document.events.forEach(event => {
    const node = blank('event', 'event:' + event.event_id, event.service);
    node.event = event;
    node.start = node.end = offset(event.time_ns);
    node.failed = true;
    attach(node, event.trace_id, event.span_id);
  });

  const roots = [...traces.values()].sort((a, b) => a.start - b.start);
  finish(roots);
  const all = new Map<string, Node>();
  const services: string[] = [];
  const stack = [...roots].reverse();
  while (stack.length > 0) {
    const node = stack.pop()!;
    all.set(node.key, node);
    if (node.service && !services.includes(node.service)) services.push(node.service);
    for (let i = node.children.length - 1; i >= 0; i--) stack.push(node.children[i]!);
  }
  return {
    baseNs: base,
    length: Math.max(Number(lastNs - base) / 1e6, 0.000001),
    roots,
    nodes: all,
    services,
    spans: nodes.length,
    failures: nodes.filter(node => node.failed).length,
  };
}

export interface Shown {
  folded: ReadonlySet<string>;
  logs: boolean;
  text: string; // lower case; rows that have it, and the rows above them
}

export function matches(node: Node, text: string): boolean {
  const span = node.span;
  if (span) {
    return (
      [span.name, node.service, span.span_id, span.status_message ?? ''].some(s => s.toLowerCase().includes(text)) ||
      Object.entries(span.attributes ?? {}).some(([key, value]) =>
        `${key}=${String(value)}`.toLowerCase().includes(text),
      )
    );
  }
  if (node.log) return logText(node.log).toLowerCase().includes(text) || node.service.toLowerCase().includes(text);
  return node.event ? node.event.title.toLowerCase().includes(text) : false;
}

// The rows from top to bottom. One trace alone needs no row of its own.
export function rows(timeline: Timeline, shown: Shown): Node[] {
  const wanted = shown.text ? wantedBy(timeline, shown.text) : null;
  const only = timeline.roots.length === 1 ? timeline.roots[0]! : null;
  const stack = [...(only ? only.children : timeline.roots)].reverse();
  const found: Node[] = [];
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (node.kind === 'log' && !shown.logs) continue;
    if (wanted && !wanted.has(node)) continue;
    found.push(node);
    if (shown.folded.has(node.key) && !wanted) continue;
    for (let i = node.children.length - 1; i >= 0; i--) stack.push(node.children[i]!);
  }
  return found;
}

function wantedBy(timeline: Timeline, text: string): Set<Node> {
  const parents = new Map<Node, Node>();
  for (const node of timeline.nodes.values()) node.children.forEach(child => parents.set(child, node));
  const wanted = new Set<Node>();
  for (const node of timeline.nodes.values()) {
    if (!matches(node, text)) continue;
    for (let at: Node | undefined = node; at && !wanted.has(at); at = parents.get(at)) wanted.add(at);
  }
  return wanted;
}

export function logText(log: Log): string {
  const body = log.body;
  if (typeof body === 'string') return body;
  if (body && typeof body === 'object') {
    const record = body as Record<string, unknown>;
    for (const key of ['message', 'msg', 'event', 'body'])
      if (typeof record[key] === 'string') return record[key] as string;
    return JSON.stringify(body);
  }
  return body === null || body === undefined ? (log.event_name ?? '') : String(body);
}

export interface Range {
  from: number;
  to: number;
}

// Where [start, end] lies in the range, in percent; null when outside of it.
export function place(start: number, end: number, range: Range): {x: number; width: number} | null {
  const length = range.to - range.from;
  if (!(length > 0) || end < range.from || start > range.to) return null;
  const from = Math.max(start, range.from);
  const to = Math.min(end, range.to);
  return {x: (100 * (from - range.from)) / length, width: (100 * (to - from)) / length};
}

// The part of a list of rows that a window shows, with `margin` rows on each side.
export function windowOf(
  count: number,
  rowHeight: number,
  top: number,
  height: number,
  margin: number,
): {from: number; to: number} {
  const from = Math.max(0, Math.min(count, Math.floor(top / rowHeight) - margin));
  const to = Math.max(from, Math.min(count, Math.ceil((top + height) / rowHeight) + margin));
  return {from, to};
}
