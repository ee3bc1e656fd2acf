// SPDX-License-Identifier: Apache-2.0
import {useState} from 'preact/hooks';
import {localTime, parseTime, relativeTime} from '../format';
import {useClock} from '../hooks';

// "3 min ago", kept up to date; the exact times are under the pointer.
export function Ago({time}: {time: string | null | undefined}) {
  const ms = parseTime(time);
  const [, setLabel] = useState('');
  const label = relativeTime(ms, Date.now());
  useClock(() => setLabel(relativeTime(ms, Date.now())));
  if (Number.isNaN(ms)) return <span class="dim">—</span>;
  return (
    <time dateTime={time!} title={`${localTime(ms)}\n${time}`}>
      {label}
    </time>
  );
}

export function At({time}: {time: string | null | undefined}) {
  const ms = parseTime(time);
  if (Number.isNaN(ms)) return <span class="dim">—</span>;
  return (
    <time dateTime={time!} title={time!}>
      {localTime(ms)}
    </time>
  );
}
