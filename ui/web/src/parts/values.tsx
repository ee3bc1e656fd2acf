// SPDX-License-Identifier: Apache-2.0
//
// Names and values of any JSON: attributes, tags, contexts, local variables.
import {isRecord, text} from '../event';
import {safeLink} from '../text';
import {Copy} from './copy';
import {Lines, Text} from './text';

const depthMax = 5;
const longText = 2000;

export function Value({value, depth = 0}: {value: unknown; depth?: number}) {
  if (value === null || value === undefined) return <span class="null">null</span>;
  if (typeof value === 'number' || typeof value === 'boolean') return <span class="literal">{String(value)}</span>;
  if (typeof value === 'string') return <StringValue value={value} />;
  if (depth >= depthMax) return <StringValue value={text(value)} />;
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
            <Value value={item} depth={depth + 1} />
          </>
        ))}
      </span>
    );
  }
  return <Pairs pairs={entries} depth={depth + 1} />;
}

function StringValue({value}: {value: string}) {
  const link = value.length < 500 ? safeLink(value) : null;
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
        <Lines text={value} />
      </span>
    );
  return (
    <details class="long">
      <summary>
        <Lines text={value.slice(0, 300)} />… <span class="dim">({value.length} characters)</span>
      </summary>
      <span class="string">
        <Lines text={value} />
      </span>
    </details>
  );
}

export function Pairs({pairs, depth = 0, copy = false}: {pairs: [string, unknown][]; depth?: number; copy?: boolean}) {
  return (
    <dl class={depth > 0 ? 'pairs nested' : 'pairs'}>
      {pairs.map(([key, value], index) => (
        <div key={index}>
          <dt>
            <Text text={key} />
          </dt>
          <dd>
            <Value value={value} depth={depth} />
            {copy ? <Copy text={text(value)} what={key} /> : null}
          </dd>
        </div>
      ))}
    </dl>
  );
}

export function Attributes({of, copy = true}: {of: unknown; copy?: boolean}) {
  const pairs = isRecord(of) ? Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1)) : [];
  return pairs.length > 0 ? <Pairs pairs={pairs} copy={copy} /> : <p class="dim">none</p>;
}
