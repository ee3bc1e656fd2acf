// SPDX-License-Identifier: Apache-2.0
//
// Reading an event document, which comes from outside and may hold anything anywhere: exceptions in the order a person
// wants them, frames with library frames folded, and the parts that are just names and values.
import type {EventDocument, Exception, Frame} from './api';

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  if (typeof value === 'object') {
    try {
      return JSON.stringify(value) ?? '';
    } catch {
      return '(nested too deep to show)';
    }
  }
  return String(value);
}

function listOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return isRecord(value) && Array.isArray(value['values']) ? (value['values'] as unknown[]) : [];
}

// The exceptions, the one that was raised last first, then what caused it (the schema has the oldest first).
export function exceptionsOf(document: EventDocument): Exception[] {
  return listOf(document['exception'])
    .filter(isRecord)
    .map(value => value as Exception)
    .reverse();
}

export function threadsWithStack(document: EventDocument): {name: string; thread: Exception; frames: Frame[]}[] {
  return listOf(document['threads'])
    .filter(isRecord)
    .map(thread => ({
      name: text(thread['name'] ?? thread['id']),
      thread: thread as Exception,
      frames: framesOf(thread as Exception),
    }))
    .filter(thread => thread.frames.length > 0);
}

// Newest call first (the schema has it last).
export function framesOf(exception: Exception): Frame[] {
  const frames = isRecord(exception.stacktrace) ? exception.stacktrace['frames'] : null;
  return (Array.isArray(frames) ? frames : [])
    .filter(isRecord)
    .map(frame => frame as Frame)
    .reverse();
}

// Where the exceptions and the frames that the functions above give stood in the document: for paths into _meta.
export function exceptionIndices(document: EventDocument): number[] {
  return indices(listOf(document['exception']));
}

export function frameIndices(exception: Exception): number[] {
  const frames = isRecord(exception.stacktrace) ? exception.stacktrace['frames'] : null;
  return indices(Array.isArray(frames) ? frames : []);
}

function indices(list: unknown[]): number[] {
  return list
    .map((value, index) => (isRecord(value) ? index : -1))
    .filter(index => index >= 0)
    .reverse();
}

export interface FrameGroup {
  inApp: boolean;
  frames: Frame[];
  first: number; // index of its first frame
}

// Runs of frames: one of the application's each alone, library frames together, to be folded. Without any mark of the
// application everything is shown.
export function groupFrames(frames: Frame[]): FrameGroup[] {
  const known = frames.some(frame => frame.in_app === true);
  const groups: FrameGroup[] = [];
  frames.forEach((frame, index) => {
    const inApp = !known || frame.in_app === true;
    const last = groups[groups.length - 1];
    if (!inApp && last && !last.inApp) last.frames.push(frame);
    else groups.push({inApp, frames: [frame], first: index});
  });
  return groups;
}

// The frame to open at the start: the newest of the application, else the newest.
export function frameToOpen(frames: Frame[]): number {
  return Math.max(
    0,
    frames.findIndex(frame => frame.in_app === true),
  );
}

export function frameLocation(frame: Frame): string {
  const file = text(frame.filename) || text(frame.abs_path);
  const line = typeof frame.lineno === 'number' ? ':' + frame.lineno : '';
  const column = line && typeof frame.colno === 'number' ? ':' + frame.colno : '';
  return file + line + column;
}

export interface SourceLine {
  number: number | null;
  text: string;
  current: boolean;
}

export function sourceLines(frame: Frame): SourceLine[] {
  if (typeof frame.context_line !== 'string') return [];
  const before = Array.isArray(frame.pre_context) ? frame.pre_context.map(text) : [];
  const after = Array.isArray(frame.post_context) ? frame.post_context.map(text) : [];
  const line = typeof frame.lineno === 'number' ? frame.lineno : null;
  const all = [...before, frame.context_line, ...after];
  return all.map((source, index) => ({
    number: line === null ? null : line - before.length + index,
    text: source,
    current: index === before.length,
  }));
}

// The trace as text, in the order it is shown on the page: what came as text as it came.
export function rawText(exceptions: Exception[]): string {
  return exceptions
    .map((exception, index) => {
      if (typeof exception.raw_stacktrace_text === 'string' && exception.raw_stacktrace_text)
        return exception.raw_stacktrace_text;
      const head = [text(exception.type), text(exception.value)].filter(Boolean).join(': ');
      const lines = framesOf(exception).map(frame => {
        const where = frameLocation(frame);
        const name = [text(frame.module), text(frame.function)].filter(Boolean).join('.') || '?';
        return `    at ${name}${where ? ` (${where})` : ''}`;
      });
      return (index > 0 ? 'Caused by: ' : '') + [head, ...lines].join('\n');
    })
    .join('\n');
}

// What the event says in words beside its exceptions.
export function messageOf(document: EventDocument): string {
  const entry = document['logentry'];
  if (isRecord(entry)) return text(entry['formatted']) || text(entry['message']);
  const message = document['message'];
  return isRecord(message) ? text(message['formatted']) || text(message['message']) : text(message);
}

// [["key","value"],…] or {"key":"value"}: both are allowed for tags, headers and queries.
export function pairsOf(value: unknown): [string, unknown][] {
  if (isRecord(value)) return Object.entries(value);
  if (!Array.isArray(value)) return [];
  return value.filter(Array.isArray).map(pair => [text(pair[0]), pair[1]] as [string, unknown]);
}

export interface Breadcrumb {
  timestamp: string;
  category: string;
  level: string;
  message: string;
  data: [string, unknown][];
  place: number; // in the document
}

export function breadcrumbsOf(document: EventDocument): Breadcrumb[] {
  return listOf(document['breadcrumbs'])
    .map((crumb, place) => ({crumb, place}))
    .filter((each): each is {crumb: Record<string, unknown>; place: number} => isRecord(each.crumb))
    .map(({crumb, place}) => ({
      timestamp: typeof crumb['timestamp'] === 'number' ? isoOfSeconds(crumb['timestamp']) : text(crumb['timestamp']),
      category: text(crumb['category']) || text(crumb['type']),
      level: text(crumb['level']) || 'info',
      message: text(crumb['message']),
      data: pairsOf(crumb['data']),
      place,
    }));
}

function isoOfSeconds(seconds: number): string {
  const ms = seconds * 1000;
  return Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : String(seconds);
}
