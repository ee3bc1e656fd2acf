// SPDX-License-Identifier: Apache-2.0
//
// Why an event is where it is, told in lines: the component tree with frames on one line each, and runs of lines that
// do not count for the same reason folded into one. The tree comes from outside of this program: anything is read.
import type {Component, IssueHash} from './api';
import {isRecord, text} from './event';
import {plural} from './format';

export interface Line {
  depth: number;
  label: string;
  value: string;
  counts: boolean;
  reason: string; // why not, or what was done to it
}

// One line, or several that do not count for the same reason.
export interface Fold {
  lines: Line[];
  title: string; // of several
}

const linesMax = 600;

// Not what events are grouped by, but how one kind of report finds the other.
export const outlineVariant = 'outline';
export const outlineWords =
  'Only where nothing else is known: it leads the same error here when an SDK reports it and when it comes as text.';

const variantNames: Record<string, string> = {
  app: 'Frames of the application',
  system: 'All frames',
  default: 'What the report says',
  fallback: 'Nothing to go by',
  checksum: 'Checksum of the sender',
  'hashed-checksum': 'Checksum of the sender',
  'custom-fingerprint': 'Fingerprint of its own',
  'built-in-fingerprint': 'Fingerprint of a built-in rule',
  outline: 'As a stack trace in text tells it',
};

export function variantName(name: string): string {
  if (name.startsWith('salted-')) return `${variantName(name.slice(7))}, and the fingerprint`;
  return variantNames[name] ?? name;
}

const componentNames: Record<string, string> = {
  exception: 'exception',
  'chained-exception': 'exceptions',
  stacktrace: 'stack trace',
  'context-line': 'line',
  'ns-error': 'NSError',
};

const nameOf = (id: string): string => componentNames[id] ?? id.replace(/-/g, ' ');

const childrenOf = (component: Component): Component[] =>
  (Array.isArray(component.values) ? component.values : [])
    .filter(isRecord)
    .map(value => value as unknown as Component);

const leavesOf = (component: Component): string =>
  (Array.isArray(component.values) ? component.values : [])
    .filter(value => !isRecord(value))
    .map(text)
    .join(' ');

// "checkout in shop.cart": what counts of a frame, or of one that does not count what it has.
function frameText(frame: Component): string {
  const all = childrenOf(frame);
  const parts = new Map<string, string>();
  const used = all.some(part => part.contributes === true) ? all.filter(part => part.contributes === true) : all;
  for (const part of used) if (leavesOf(part)) parts.set(text(part.id), leavesOf(part));
  const place = parts.get('module') ?? parts.get('filename');
  const name = parts.get('function');
  const line = parts.get('context-line');
  const known = new Set(['module', 'filename', 'function', 'context-line']);
  const rest = [...parts].filter(([id]) => !known.has(id)).map(([, value]) => value);
  const where = name && place ? `${name} in ${place}` : (name ?? place ?? '');
  return [where, line ?? '', ...rest].filter(Boolean).join(' · ');
}

export function outline(root: Component): Line[] {
  const lines: Line[] = [];
  const stack: {component: Component; depth: number; counts: boolean}[] = [];
  const push = (component: Component, depth: number, counts: boolean): void => {
    for (const child of childrenOf(component).reverse()) stack.push({component: child, depth, counts});
  };
  const rootLeaves = leavesOf(root);
  if (rootLeaves) lines.push({depth: 0, label: '', value: rootLeaves, counts: root.contributes === true, reason: ''});
  push(root, 0, root.contributes === true);
  while (stack.length > 0 && lines.length < linesMax) {
    const {component, depth, counts: parentCounts} = stack.pop()!;
    const id = text(component.id);
    const counts = parentCounts && component.contributes === true;
    const reason = component.hint ? text(component.hint) : '';
    const isFrame = id === 'frame';
    const value = isFrame ? frameText(component) : leavesOf(component);
    const children = isFrame ? [] : childrenOf(component);
    if (!value && children.length === 0 && !reason) continue; // nothing was there to look at
    lines.push({depth, label: nameOf(id), value, counts, reason});
    if (!isFrame) push(component, depth + 1, counts);
  }
  return lines;
}

export function fold(lines: Line[]): Fold[] {
  const folds: Fold[] = [];
  for (const line of lines) {
    const last = folds[folds.length - 1]?.lines;
    const same =
      last !== undefined &&
      !line.counts &&
      !last[0]!.counts &&
      last[0]!.depth === line.depth &&
      last[0]!.label === line.label &&
      last[0]!.reason === line.reason;
    if (same) {
      last.push(line);
    } else {
      folds.push({lines: [line], title: ''});
    }
  }
  for (const each of folds) {
    if (each.lines.length > 1) each.title = plural(each.lines.length, each.lines[0]!.label);
  }
  return folds;
}

// "by the exception's type and 3 frames": what a variant's hash is made of, in a few words.
export function summary(lines: Line[]): string {
  const counts = new Map<string, number>();
  for (const line of lines) {
    if (!line.counts || !line.value) continue;
    const label = line.label || 'value';
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const words = [...counts].map(([label, count]) => (count === 1 ? label : plural(count, label)));
  if (words.length === 0) return '';
  return words.length === 1 ? words[0]! : `${words.slice(0, -1).join(', ')} and ${words[words.length - 1]}`;
}

export interface HashGroup {
  from: string | null; // the short id of the issue that they came with
  hashes: IssueHash[];
}

// The issue's own first, then those of every issue that was merged into it.
export function hashGroups(hashes: IssueHash[]): HashGroup[] {
  const groups = new Map<string | null, IssueHash[]>([[null, []]]);
  for (const hash of hashes) {
    const from = hash.merged_from ?? null;
    groups.set(from, [...(groups.get(from) ?? []), hash]);
  }
  return [...groups].filter(([, list]) => list.length > 0).map(([from, list]) => ({from, hashes: list}));
}
