// SPDX-License-Identifier: Apache-2.0
//
// The filters of the inbox. The address is their only state; typed text goes there when the typing pauses.
import type {ComponentChildren} from 'preact';
import {useEffect, useRef, useState} from 'preact/hooks';
import type {IssueList} from '../api';
import {useKeys, useMedia} from '../hooks';
import {replace} from '../navigation';
import {hrefs, type Filters} from '../route';
import {visible} from '../text';

const pauseMs = 200;
const statuses: [string, string][] = [
  ['unresolved', 'Unresolved'],
  ['resolved', 'Resolved'],
  ['muted', 'Muted'],
  ['all', 'All'],
];
const levels = ['fatal', 'error', 'warning', 'info', 'debug'];

function TextFilter({value, onChange}: {value: string; onChange: (value: string) => void}) {
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState(value);
  const sent = useRef(value);
  useKeys({f: () => input.current?.select()});
  useEffect(() => {
    if (value === sent.current) return;
    sent.current = value; // changed from outside: back, or "clear"
    setTyped(value);
  }, [value]);
  useEffect(() => {
    if (typed === sent.current) return undefined;
    const timer = setTimeout(() => {
      sent.current = typed;
      onChange(typed);
    }, pauseMs);
    return () => clearTimeout(timer);
  });
  return (
    <input
      ref={input}
      class="text-filter"
      type="search"
      value={typed}
      placeholder="Filter: text, or tag:value"
      aria-label="Filter by text or tag"
      spellcheck={false}
      autocomplete="off"
      maxLength={200}
      onInput={event => setTyped(event.currentTarget.value)}
    />
  );
}

function Choice({
  name,
  all,
  known,
  value,
  onChange,
}: {
  name: string;
  all: string;
  known: string[];
  value: string;
  onChange: (value: string) => void;
}) {
  const values = value && !known.includes(value) ? [value, ...known] : known;
  return (
    <select
      aria-label={`Filter by ${name}`}
      value={value}
      class={value ? 'set' : ''}
      onChange={event => onChange(event.currentTarget.value)}
    >
      <option value="">{all}</option>
      {values.map(each => (
        <option key={each} value={each}>
          {visible(each)}
        </option>
      ))}
    </select>
  );
}

// On a phone the choices would push the first error off the screen: they are folded there.
function More({count, children}: {count: number; children: ComponentChildren}) {
  const narrow = useMedia('(max-width: 700px)');
  if (!narrow) return <>{children}</>;
  return (
    <details class="more-filters">
      <summary class={'button' + (count > 0 ? ' set' : '')}>Filter and sort{count > 0 ? ` (${count})` : ''}</summary>
      <div>{children}</div>
    </details>
  );
}

export function FilterBar({filters, list}: {filters: Filters; list: IssueList | null}) {
  const projects = list?.projects ?? [];
  const set = (change: Partial<Filters>): void => replace(hrefs.inbox({...filters, ...change}));
  return (
    <div class="filters">
      <div class="tabs" role="group" aria-label="Status">
        {statuses.map(([status, label]) => (
          <button key={status} type="button" aria-pressed={filters.status === status} onClick={() => set({status})}>
            {label}
          </button>
        ))}
      </div>
      <TextFilter value={filters.query} onChange={query => set({query})} />
      <More count={[filters.project, filters.service, filters.environment, filters.level].filter(Boolean).length}>
        {projects.length > 1 || filters.project ? (
          <Choice
            name="project"
            all="All projects"
            known={projects}
            value={filters.project}
            onChange={project => set({project})}
          />
        ) : null}
        <Choice
          name="service"
          all="All services"
          known={list?.services ?? []}
          value={filters.service}
          onChange={service => set({service})}
        />
        <Choice
          name="environment"
          all="All environments"
          known={list?.environments ?? []}
          value={filters.environment}
          onChange={environment => set({environment})}
        />
        <Choice name="level" all="All levels" known={levels} value={filters.level} onChange={level => set({level})} />
        <select
          class="sort"
          aria-label="Sort"
          value={filters.sort}
          onChange={event => set({sort: event.currentTarget.value})}
        >
          <option value="last_seen">Last seen first</option>
          <option value="first_seen">Newest first</option>
          <option value="count">Most events first</option>
        </select>
      </More>
    </div>
  );
}
