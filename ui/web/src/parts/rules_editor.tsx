// SPDX-License-Identifier: Apache-2.0
//
// A text of rules with its lines numbered. The line that the server refused is marked, and the caret is put there.
import {useEffect, useRef} from 'preact/hooks';

interface RulesEditorProps {
  id: string;
  value: string;
  fault: {line: number; column: number | null} | null;
  describedBy?: string;
  onChange: (value: string) => void;
}

const rowsMin = 6;
const rowsMax = 24;

// Offset of a place in the text, both counted from 1.
export function offsetOf(text: string, line: number, column: number): number {
  let start = 0;
  for (let at = 1; at < line; at++) {
    const end = text.indexOf('\n', start);
    if (end < 0) return text.length;
    start = end + 1;
  }
  const end = text.indexOf('\n', start);
  const characters = [...text.slice(start, end < 0 ? text.length : end)];
  return start + characters.slice(0, Math.max(0, column - 1)).join('').length;
}

export function RulesEditor({id, value, fault, describedBy, onChange}: RulesEditorProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const lines = value.split('\n').length;
  const follow = (): void => void (gutter.current!.scrollTop = area.current!.scrollTop);
  useEffect(() => {
    if (!fault) return;
    const at = offsetOf(value, fault.line, fault.column ?? 1);
    area.current!.focus();
    area.current!.setSelectionRange(at, at);
    follow();
  }, [fault]);
  return (
    <div class={'rules-editor' + (fault ? ' refused' : '')}>
      <div class="gutter" ref={gutter} aria-hidden="true">
        {Array.from({length: lines}, (_, index) => (
          <div key={index} class={fault?.line === index + 1 ? 'refused' : ''}>
            {index + 1}
          </div>
        ))}
      </div>
      <textarea
        ref={area}
        id={id}
        aria-invalid={fault !== null}
        aria-describedby={describedBy}
        rows={Math.min(rowsMax, Math.max(rowsMin, lines + 1))}
        wrap="off"
        spellcheck={false}
        autocapitalize="off"
        autocomplete="off"
        value={value}
        onInput={event => onChange(event.currentTarget.value)}
        onScroll={follow}
      />
    </div>
  );
}
