// SPDX-License-Identifier: Apache-2.0
//
// `_meta` of an event document: a shadow of it that says what became of a value on its way, under the key "" beside the
// value's own members. What scrubbing removed, what was too long, what could not be read.
import {isRecord, text} from './event';

export type Meta = Record<string, unknown> | undefined;

export interface Note {
  removed: string[]; // rules, "@password"
  errors: string[];
  length: number | null; // of the text before it was shortened
}

export function metaAt(meta: unknown, ...path: (string | number)[]): Meta {
  let at: unknown = meta;
  for (const part of path) at = isRecord(at) && Object.hasOwn(at, part) ? at[part] : undefined;
  return isRecord(at) ? at : undefined;
}

export function noteOf(meta: Meta): Note | null {
  const own = meta && isRecord(meta['']) ? meta[''] : null;
  if (!own) return null;
  const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
  const first = (value: unknown): string => text(Array.isArray(value) ? value[0] : value);
  const note = {
    removed: list(own['rem']).map(first).filter(Boolean),
    errors: list(own['err']).map(first).filter(Boolean),
    length: typeof own['len'] === 'number' ? own['len'] : null,
  };
  return note.removed.length > 0 || note.errors.length > 0 || note.length !== null ? note : null;
}

const faultsMax = 100;

// Where the document could not be read, and why, by path.
export function faultsOf(meta: unknown): {path: string; errors: string[]}[] {
  const found: {path: string; errors: string[]}[] = [];
  const stack: {meta: Meta; path: string}[] = [{meta: metaAt(meta), path: ''}];
  while (stack.length > 0 && found.length < faultsMax) {
    const {meta: at, path} = stack.pop()!;
    const errors = noteOf(at)?.errors ?? [];
    if (errors.length > 0) found.push({path: path || '(event)', errors});
    for (const [key, below] of Object.entries(at ?? {}).reverse()) {
      if (key !== '' && isRecord(below)) stack.push({meta: below, path: path ? `${path}.${key}` : key});
    }
  }
  return found;
}

export interface Piece {
  text: string;
  isMark: boolean; // stands for what was removed
}

// "?token=[Filtered]&page=2" as pieces. Brackets mean something only where scrubbing left a note, or where they are all.
export function scrubbedPieces(value: string, note: Note | null): Piece[] {
  const mark = /\[[A-Za-z][\w .-]{0,30}\]/g;
  if (!note?.removed.length) return [{text: value, isMark: /^\[(Filtered|REDACTED)\]$/i.test(value)}];
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of value.matchAll(mark)) {
    if (match.index! > end) pieces.push({text: value.slice(end, match.index), isMark: false});
    pieces.push({text: match[0], isMark: true});
    end = match.index! + match[0].length;
  }
  if (end < value.length || pieces.length === 0) pieces.push({text: value.slice(end), isMark: false});
  return pieces;
}
