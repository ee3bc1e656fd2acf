// SPDX-License-Identifier: Apache-2.0
//
// Names and values of any JSON: attributes, tags, contexts, local variables. Of an event document each comes with what
// _meta says of it.
import {isRecord, text} from '../event';
import {metaAt, noteOf, scrubbedPieces, type Meta, type Note} from '../meta';
import {safeLink} from '../text';
import {Copy} from './copy';
import {Key, Lines, Text} from './text';

const depthMax = 5;
const longText = 2000;

export function Value({value, depth = 0, meta}: {value: unknown; depth?: number; meta?: Meta}) {
  const note = noteOf(meta);
  if (value === null || value === undefined)
    return note && note.errors.length > 0 ? <Unread note={note} /> : <span class="null">null</span>;
  if (typeof value === 'number' || typeof value === 'boolean') return <span class="literal">{String(value)}</span>;
  if (typeof value === 'string') return <StringValue value={value} note={note} />;
  if (depth >= depthMax) return <StringValue value={text(value)} note={note} />;
  const entries = Array.isArray(value)
    ? value.map((item, index) => [String(index), item] as [string, unknown])
    : Object.entries(value);
  if (entries.length === 0) return <span class="null">{Array.isArray(value) ? '[]' : '{}'}</span>;
  if (
    Array.isArray(value) &&
    value.every(item => typeof item !== 'object' || item === null) &&
    text(value).length <= 80
  ) {
    return (
      <span>
        {value.map((item, index) => (
          <>
            {index > 0 ? ', ' : ''}
            <Value value={item} depth={depth + 1} meta={metaAt(meta, index)} />
          </>
        ))}
      </span>
    );
  }
  return <Pairs pairs={entries} depth={depth + 1} meta={meta} />;
}

// What was there and is gone, as a thing of its own: it must not be taken for what the application sent.
function Scrubbed({value, note}: {value: string; note: Note | null}) {
  const rules = note?.removed.filter(rule => rule.startsWith('@')).map(rule => rule.slice(1)) ?? [];
  const why = rules.length > 0 ? `Scrubbed: ${rules.join(', ')}` : 'Scrubbed before it came here, or by a rule';
  return (
    <>
      {scrubbedPieces(value, note).map((piece, index) =>
        piece.isMark ? (
          <span key={index} class="scrubbed" title={why}>
            <Text text={piece.text} />
          </span>
        ) : (
          <Lines key={index} text={piece.text} />
        ),
      )}
      {note?.length && note.length > value.length ? (
        <span class="dim"> (shortened, was {note.length} characters)</span>
      ) : null}
    </>
  );
}

function Unread({note}: {note: Note}) {
  return (
    <span class="scrubbed" title="The value could not be read and was left out">
      <Text text={note.errors.join(', ')} />
    </span>
  );
}

function StringValue({value, note}: {value: string; note: Note | null}) {
  const link = value.length < 500 && !note ? safeLink(value) : null;
  if (link)
    return (
      <a href={link} rel="noreferrer noopener" target="_blank">
        <Text text={value} />
      </a>
    );
  if (value === '') return <span class="null">""</span>;
  if (value.length <= longText)
    return (
      <span class="string">
        <Scrubbed value={value} note={note} />
      </span>
    );
  return (
    <details class="long">
      <summary>
        <Lines text={value.slice(0, 300)} />… <span class="dim">({value.length} characters)</span>
      </summary>
      <span class="string">
        <Scrubbed value={value} note={note} />
      </span>
    </details>
  );
}

export function Pairs({
  pairs,
  depth = 0,
  copy = false,
  meta,
}: {
  pairs: [string, unknown][];
  depth?: number;
  copy?: boolean;
  meta?: Meta;
}) {
  return (
    <dl class={depth > 0 ? 'pairs nested' : 'pairs'}>
      {pairs.map(([key, value], index) => (
        <div key={index}>
          <dt>
            <Key text={key} />
          </dt>
          <dd>
            {/* Of a list of pairs the note is under the place of the value in its pair. */}
            <Value value={value} depth={depth} meta={metaAt(meta, key) ?? metaAt(meta, index, 1)} />
            {copy ? <Copy text={text(value)} what={key} /> : null}
          </dd>
        </div>
      ))}
    </dl>
  );
}

export function Attributes({of, copy = true, meta}: {of: unknown; copy?: boolean; meta?: Meta}) {
  const pairs = isRecord(of) ? Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1)) : [];
  return pairs.length > 0 ? <Pairs pairs={pairs} copy={copy} meta={meta} /> : <p class="dim">none</p>;
}
