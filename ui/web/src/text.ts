// SPDX-License-Identifier: Apache-2.0
//
// Telemetry is written by whoever can reach an ingest port. Markup in it is harmless, since it only ever becomes text
// nodes; what is left are characters that change how the text around them looks: control characters, bidirectional
// overrides ("Trojan source"), invisible and tag characters. They are shown by their code point.

export interface Segment {
  text: string;
  marker: boolean; // stands for a character that could not be shown as itself
}

// Zero-width joiners are not among them: scripts and emoji need them.
const strange = new RegExp(
  [
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/, // C0 without tab and newline, DEL, C1
    /[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/, // bidirectional marks, embeddings, overrides, isolates
    /[\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb]/, // invisible: breaks, joiners, operators, formats
    /[\u115f\u1160\u3164\uffa0]/, // Hangul fillers, which look like nothing
    /[\u2028\u2029]/, // line and paragraph separators
    /[\u{e0000}-\u{e007f}]/u, // tags
    /\p{Surrogate}/u, // half a character
  ]
    .map(part => part.source)
    .join('|'),
  'gu',
);

function marker(character: string): string {
  return '⟨' + character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0') + '⟩';
}

// `singleLine` shows tabs and line ends as markers too.
export function segments(text: string, singleLine: boolean): Segment[] {
  const found: Segment[] = [];
  const push = (part: string, isMarker: boolean): void => {
    const last = found[found.length - 1];
    if (last && last.marker === isMarker) last.text += part;
    else found.push({text: part, marker: isMarker});
  };
  const plain = (part: string): void => {
    if (!singleLine) {
      push(part, false);
      return;
    }
    for (const piece of part.split(/(\r?\n|\t)/)) {
      if (piece === '\t') push('⇥', true);
      else if (/^\r?\n$/.test(piece)) push('↵', true);
      else if (piece) push(piece, false);
    }
  };
  const normal = text.replace(/\r\n/g, '\n');
  let end = 0;
  for (const match of normal.matchAll(strange)) {
    if (match.index! > end) plain(normal.slice(end, match.index));
    push(marker(match[0]), true);
    end = match.index! + match[0].length;
  }
  if (end < normal.length) plain(normal.slice(end));
  return found;
}

// One line of plain text with the same markers: titles of the window, labels, SVG text.
export function visible(text: string): string {
  return segments(text, true)
    .map(segment => segment.text)
    .join('');
}

// The address when it may be followed: absolute, http or https; else null.
export function safeLink(address: unknown): string | null {
  if (typeof address !== 'string') return null;
  try {
    const url = new URL(address);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}

const wordsMax = 40;

// A name like http.response.status_code by its words, each with what separates it from the next one. As a whole when it
// is no such name but very many separators.
export function words(name: string): string[] {
  const found = name.match(/[^._/-]*[._/-]|[^._/-]+/g) ?? [];
  return found.length > wordsMax ? [name] : found;
}
