// SPDX-License-Identifier: Apache-2.0
//
// The settings of a project as one form: what is typed is kept until it is saved, a refused value is marked at its field.
import type {ComponentChildren} from 'preact';
import {useState} from 'preact/hooks';
import {paths, send, type ApiError, type Project, type ProjectSettings, type ScrubSettings} from '../api';
import {Text} from '../parts/text';
import {RulesEditor} from '../parts/rules_editor';
import {toast} from '../parts/toast';

const limits = [
  ['events_per_minute', 'Events a minute'],
  ['transactions_per_minute', 'Transactions and spans a minute'],
  ['logs_per_minute', 'Log records a minute'],
] as const;

const switches = [
  ['enabled', 'Scrub', 'Take secrets out of events, spans and logs before anything is written.'],
  ['defaults', 'Built-in patterns', 'Passwords, tokens, cookies, cards, IBANs, private keys and the like.'],
  ['ip_addresses', 'IP addresses', 'Take them out too.'],
] as const;

const lists = [
  ['sensitive_keys', 'Also scrub these keys', 'One a line: a key, or a part of one.'],
  ['safe_keys', 'Never scrub these keys', 'One a line: the whole key.'],
] as const;

const rules = [
  [
    'enhancements',
    'Stack-trace rules',
    'One a line, in Sentry’s syntax: stack.module:vendor.* -app marks frames, stack.function:retry ^-group leaves frames out.',
  ],
  [
    'fingerprint_rules',
    'Fingerprint rules',
    'One a line, in Sentry’s syntax: error.type:TimeoutError -> timeouts, {{ transaction }}',
  ],
] as const;

interface Draft {
  rules: Record<string, string>;
  limits: Record<string, string>;
  switches: Record<string, string>; // '': as configured, 'on', 'off'
  lists: Record<string, {own: boolean; text: string}>;
}

function draftOf(settings: ProjectSettings): Draft {
  const {scrub} = settings;
  return {
    limits: Object.fromEntries(limits.map(([name]) => [name, settings[name] ? String(settings[name]) : ''])),
    switches: Object.fromEntries(
      switches.map(([name]) => [name, scrub[name] === null ? '' : scrub[name] ? 'on' : 'off']),
    ),
    rules: Object.fromEntries(rules.map(([name]) => [name, settings[name] ?? ''])),
    lists: Object.fromEntries(
      lists.map(([name]) => [name, {own: scrub[name] !== null, text: (scrub[name] ?? []).join('\n')}]),
    ),
  };
}

// As the API takes it. A limit that is no number is sent as it was typed: the server says what is allowed.
export function settingsOf(draft: Draft): Record<string, unknown> {
  const number = (typed: string): unknown => (/^\d+$/.test(typed.trim()) ? Number(typed) : typed.trim() || 0);
  const lines = (typed: string): string[] =>
    typed
      .split('\n')
      .map(line => line.trim())
      .filter(Boolean);
  const own = Object.entries(draft.lists).map(([name, list]) => [name, list.own ? lines(list.text) : null]);
  return {
    scrub: {
      ...Object.fromEntries(
        Object.entries(draft.switches).map(([name, value]) => [name, value === '' ? null : value === 'on']),
      ),
      ...Object.fromEntries(own),
    },
    ...draft.rules,
    ...Object.fromEntries(Object.entries(draft.limits).map(([name, typed]) => [name, number(typed)])),
  };
}

interface FieldProps {
  name: string; // as the API calls it
  label: string;
  help?: string;
  error: ApiError | null;
  children: (attributes: {id: string; 'aria-invalid': boolean; 'aria-describedby'?: string}) => ComponentChildren;
}

function Field({name, label, help, error, children}: FieldProps) {
  const id = name.replace(/\./g, '-');
  const wrong = error?.field === name;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({id, 'aria-invalid': wrong, 'aria-describedby': wrong || help ? id + '-help' : undefined})}
      {wrong || help ? (
        <p id={id + '-help'} class={wrong ? 'bad' : 'dim'} role={wrong ? 'alert' : undefined}>
          <Text text={wrong ? error.message : help} />
        </p>
      ) : null}
    </div>
  );
}

// The same object for the same error: the caret is put there once.
const faults = new WeakMap<ApiError, {line: number; column: number | null}>();
function faultOf(error: ApiError): {line: number; column: number | null} {
  const known = faults.get(error) ?? {line: error.line ?? 1, column: error.column};
  faults.set(error, known);
  return known;
}

interface SettingsProps {
  project: Project;
  defaults: ScrubSettings | null;
  onSaved: (project: Project) => void;
}

export function Settings({project, defaults, onSaved}: SettingsProps) {
  const [draft, setDraft] = useState(() => draftOf(project.settings));
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const changed = JSON.stringify(draft) !== JSON.stringify(draftOf(project.settings));
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      const saved = await send<Project>('PATCH', paths.project(project.slug), {settings: settingsOf(draft)});
      setError(null);
      setDraft(draftOf(saved.settings));
      onSaved(saved);
      toast(`Saved the settings of ${project.slug}`);
    } catch (failure) {
      setError(failure as ApiError);
    }
    setBusy(false);
  };
  const known = [
    ...[...limits, ...rules].map(([name]) => 'settings.' + name),
    ...[...switches, ...lists].map(([name]) => 'settings.scrub.' + name),
  ];
  const configured = (value: boolean | undefined): string =>
    'As configured' + (value === undefined ? '' : value ? ' (on)' : ' (off)');
  return (
    <form class="settings" onSubmit={event => void save(event)} novalidate>
      <section class="panel" aria-labelledby="limits-title">
        <h2 id="limits-title">Limits</h2>
        <p class="dim">What is over them is refused, and the SDK is told to wait. Empty: no limit.</p>
        <div class="fields">
          {limits.map(([name, label]) => (
            <Field key={name} name={'settings.' + name} label={label} error={error}>
              {attributes => (
                <input
                  {...attributes}
                  type="text"
                  inputMode="numeric"
                  value={draft.limits[name]}
                  placeholder="no limit"
                  maxLength={12}
                  onInput={event => setDraft({...draft, limits: {...draft.limits, [name]: event.currentTarget.value}})}
                />
              )}
            </Field>
          ))}
        </div>
      </section>
      <section class="panel" aria-labelledby="scrub-title">
        <h2 id="scrub-title">Scrubbing</h2>
        <div class="fields">
          {switches.map(([name, label, help]) => (
            <Field key={name} name={'settings.scrub.' + name} label={label} help={help} error={error}>
              {attributes => (
                <select
                  {...attributes}
                  value={draft.switches[name]}
                  onChange={event =>
                    setDraft({...draft, switches: {...draft.switches, [name]: event.currentTarget.value}})
                  }
                >
                  <option value="">{configured(defaults?.[name] ?? undefined)}</option>
                  <option value="on">On</option>
                  <option value="off">Off</option>
                </select>
              )}
            </Field>
          ))}
        </div>
        <div class="fields wide">
          {lists.map(([name, label, help]) => {
            const list = draft.lists[name]!;
            const change = (to: Partial<typeof list>): void =>
              setDraft({...draft, lists: {...draft.lists, [name]: {...list, ...to}}});
            return (
              <Field
                key={name}
                name={'settings.scrub.' + name}
                label={label}
                help={help}
                error={error}
              >
                {attributes => (
                  <>
                    <label class="check">
                      <input
                        type="checkbox"
                        checked={!list.own}
                        onChange={event => change({own: !event.currentTarget.checked})}
                      />
                      As configured
                      {defaults ? (
                        <span class="dim">
                          {' '}
                          (<Text text={(defaults[name] ?? []).join(', ') || 'none'} />)
                        </span>
                      ) : null}
                    </label>
                    <textarea
                      {...attributes}
                      rows={4}
                      spellcheck={false}
                      disabled={!list.own}
                      value={list.text}
                      onInput={event => change({text: event.currentTarget.value})}
                    />
                  </>
                )}
              </Field>
            );
          })}
        </div>
      </section>
      <section class="panel" aria-labelledby="rules-title">
        <h2 id="rules-title">Grouping</h2>
        <p class="dim">
          They hold for events from now on; what came before stays where it is, and its issues are found for 30 days
          more.
        </p>
        {rules.map(([name, label, help]) => (
          <Field key={name} name={'settings.' + name} label={label} help={help} error={error}>
            {attributes => (
              <RulesEditor
                id={attributes.id}
                describedBy={attributes['aria-describedby']}
                value={draft.rules[name]!}
                fault={error?.field === 'settings.' + name && error.line !== null ? faultOf(error) : null}
                onChange={text => setDraft({...draft, rules: {...draft.rules, [name]: text}})}
              />
            )}
          </Field>
        ))}
      </section>
      {error && !known.includes(error.field ?? '') ? (
        <p class="bad" role="alert">
          <Text text={error.message} />
          {error.field ? (
            <>
              {' '}
              (<Text text={error.field} />)
            </>
          ) : null}
        </p>
      ) : null}
      <div class="save">
        <button type="submit" class="primary" disabled={!changed || busy}>
          Save
        </button>
        <button
          type="button"
          disabled={!changed || busy}
          onClick={() => {
            setDraft(draftOf(project.settings));
            setError(null);
          }}
        >
          Take back
        </button>
        {changed ? <span class="dim">Not saved yet</span> : null}
      </div>
    </form>
  );
}
