// SPDX-License-Identifier: Apache-2.0
//
// What pages share: data that renews itself, a clock, keys, and how narrow the window is.
import {useCallback, useEffect, useLayoutEffect, useRef, useState} from 'preact/hooks';
import {ApiError, askText, parse} from './api';

export interface Polled<T> {
  data: T | null;
  error: ApiError | null; // of the last try; data of an earlier one may still be there
  loading: boolean; // nothing yet for this address
  refresh: () => void;
  put: (change: (data: T) => T) => void; // what is known before the next answer says so
}

interface Kept {
  text: string;
  data: unknown;
}

// Answers by address, so that going back shows a page at once; it is asked for again behind it. The newest ones, up to
// so many characters in all.
const kept = new Map<string, Kept>();
const keptCharactersMax = 8 << 20;
let keptCharacters = 0;

function keep(path: string, entry: Kept): void {
  keptCharacters += entry.text.length - (kept.get(path)?.text.length ?? 0);
  kept.delete(path);
  kept.set(path, entry);
  for (const [oldest, old] of kept) {
    if (keptCharacters <= keptCharactersMax) break;
    kept.delete(oldest);
    keptCharacters -= old.text.length;
  }
}

// Everything is asked for anew: a page failed on what it was given.
export function forgetAnswers(): void {
  kept.clear();
  keptCharacters = 0;
}

const retryMaxMs = 10000;

// Asks for `path` now and every `interval` ms (0: no more) while the window is visible. An unchanged answer renders
// nothing.
export function usePolled<T>(path: string | null, interval: number | ((data: T | null) => number)): Polled<T> {
  const [, setVersion] = useState(0);
  const state = useRef<{path: string | null; entry: Kept | null; error: ApiError | null}>({
    path: null,
    entry: null,
    error: null,
  });
  const trigger = useRef<() => void>(() => undefined);
  const latestInterval = useRef(interval);
  latestInterval.current = interval;
  if (state.current.path !== path) {
    state.current = {path, entry: path === null ? null : (kept.get(path) ?? null), error: null};
  }

  useEffect(() => {
    if (path === null) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let controller: AbortController | null = null;
    let failures = 0;
    let ended = false;
    const render = (): void => setVersion(version => version + 1);
    const load = async (): Promise<void> => {
      clearTimeout(timer);
      controller?.abort();
      const mine = (controller = new AbortController());
      const before = state.current.entry;
      try {
        const text = await askText(path, {signal: mine.signal});
        if (ended || mine.signal.aborted) return;
        failures = 0;
        const now = state.current;
        // What was put meanwhile is newer than this answer: ask again.
        if (now.entry !== before && before !== null) return void load();
        const changed = now.entry?.text !== text;
        if (changed) {
          now.entry = {text, data: parse<T>(text)};
          keep(path, now.entry);
        }
        if (changed || now.error) {
          now.error = null;
          render();
        }
      } catch (error) {
        if (ended || mine.signal.aborted) return;
        failures++;
        state.current.error = error instanceof ApiError ? error : new ApiError(0, String(error));
        render();
      }
      const wanted = latestInterval.current;
      const intervalMs =
        typeof wanted === 'number' ? wanted : wanted((state.current.entry?.data as T | undefined) ?? null);
      if (intervalMs > 0 && document.visibilityState === 'visible') {
        timer = setTimeout(load, Math.min(intervalMs * 2 ** Math.min(failures, 4), Math.max(retryMaxMs, intervalMs)));
      }
    };
    const onVisible = (): void => {
      if (document.visibilityState === 'visible') void load();
    };
    trigger.current = () => void load();
    document.addEventListener('visibilitychange', onVisible);
    void load();
    return () => {
      ended = true;
      clearTimeout(timer);
      controller?.abort();
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, [path]);

  const refresh = useCallback(() => trigger.current(), []);
  const put = useCallback((change: (data: T) => T) => {
    const entry = state.current.entry;
    if (!entry || state.current.path === null) return;
    state.current.entry = {text: ' ', data: change(entry.data as T)}; // no answer is this text
    keep(state.current.path, state.current.entry);
    setVersion(version => version + 1);
  }, []);
  const {entry, error} = state.current;
  return {
    data: (entry?.data as T | undefined) ?? null,
    error,
    loading: path !== null && !entry && !error,
    refresh,
    put,
  };
}

const clockListeners = new Set<() => void>();
let clockTimer: ReturnType<typeof setInterval> | undefined;

// Calls `tick` about once a second as long as the component is there: one timer for all of them.
export function useClock(tick: () => void): void {
  const latest = useRef(tick);
  latest.current = tick;
  useEffect(() => {
    const listener = (): void => latest.current();
    clockListeners.add(listener);
    clockTimer ??= setInterval(() => clockListeners.forEach(each => each()), 1000);
    return () => {
      clockListeners.delete(listener);
      if (clockListeners.size > 0) return;
      clearInterval(clockTimer);
      clockTimer = undefined;
    };
  }, []);
}

// By key, or by two pressed one after the other: "g i".
export type KeyMap = Record<string, (event: KeyboardEvent) => void>;
const keyMaps: {current: KeyMap}[] = [];
const pairMs = 1500;
let pressed = {key: '', at: 0}; // before

function handlerOf(keys: string): ((event: KeyboardEvent) => void) | undefined {
  for (let i = keyMaps.length - 1; i >= 0; i--) {
    const handler = keyMaps[i]!.current[keys];
    if (handler) return handler;
  }
  return undefined;
}

export function startKeys(): void {
  document.addEventListener('keydown', event => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement | null;
    if (document.querySelector('dialog[open]')) return;
    const ticking = target instanceof HTMLInputElement && /^(checkbox|radio)$/.test(target.type);
    const typing = target && !ticking && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
    if (typing) {
      if (event.key === 'Escape') target.blur();
      return;
    }
    if (
      (event.key === 'Enter' || event.key === ' ') &&
      target &&
      (ticking || /^(BUTTON|A|SUMMARY)$/.test(target.tagName))
    )
      return;
    const second = event.timeStamp - pressed.at < pairMs;
    const handler = (second && handlerOf(`${pressed.key} ${event.key}`)) || handlerOf(event.key);
    pressed = {key: event.key, at: event.timeStamp};
    if (!handler) return;
    event.preventDefault();
    handler(event);
  });
}

// Keys of this component while it is there; the newest component is asked first.
export function useKeys(map: KeyMap): void {
  const latest = useRef(map);
  latest.current = map;
  useLayoutEffect(() => {
    keyMaps.push(latest);
    return () => void keyMaps.splice(keyMaps.indexOf(latest), 1);
  }, []);
}

export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const listener = (): void => setMatches(media.matches);
    media.addEventListener('change', listener);
    listener();
    return () => media.removeEventListener('change', listener);
  }, [query]);
  return matches;
}
