// SPDX-License-Identifier: Apache-2.0
//
// Lists that come newest first and in pages. The first page renews itself; pages that somebody asked for stay behind it
// with nothing missing in between.
import {useEffect, useRef, useState} from 'preact/hooks';
import {ask, type ApiError} from './api';
import {usePolled, type Polled} from './hooks';
import {toastFailure} from './parts/toast';

export interface Page<T> {
  items: T[];
  next: string | null; // cursor of what follows the last item
}

const itemsMax = 2000;

// What is known with a newer first page in front of it. Only that page, when more came meanwhile than fits into one, or
// when it would become too much.
export function renew<T>(known: Page<T>, first: Page<T>, idOf: (item: T) => string): Page<T> {
  const fresh = new Set(first.items.map(idOf));
  const rest = known.items.filter(item => !fresh.has(idOf(item)));
  if (rest.length === 0 || rest.length === known.items.length || first.items.length + rest.length > itemsMax)
    return first;
  return {items: [...first.items, ...rest], next: known.next};
}

export interface Paged<T> {
  items: T[] | null;
  next: string | null;
  error: ApiError | null;
  loading: boolean;
  refresh: () => void;
  more: () => Promise<void>;
}

interface Options<A, T> {
  path: (cursor?: string) => string;
  read: (answer: A) => Page<T>;
  idOf: (item: T) => string;
  interval: number;
}

export function usePages<A, T>({path, read, idOf, interval}: Options<A, T>): Paged<T> {
  const of = path();
  const {data, error, loading, refresh}: Polled<A> = usePolled<A>(of, interval);
  const [, render] = useState(0);
  // What is shown, once somebody asked for more than the first page.
  const extended = useRef<{of: string; page: Page<T>} | null>(null);
  if (extended.current?.of !== of) extended.current = null;
  const first = data ? read(data) : null;
  const shown = first && extended.current ? renew(extended.current.page, first, idOf) : first;
  const latest = useRef(shown);
  latest.current = shown;
  useEffect(() => {
    if (!extended.current || !latest.current) return;
    extended.current = latest.current === first ? null : {of, page: latest.current};
  }, [of, data]);
  const more = async (): Promise<void> => {
    const cursor = latest.current?.next;
    if (!cursor) return;
    try {
      const page = read(await ask<A>(path(cursor)));
      const before = latest.current;
      if (!before || before.next !== cursor) return; // another list, or it began anew
      const known = new Set(before.items.map(idOf));
      const items = [...before.items, ...page.items.filter(item => !known.has(idOf(item)))];
      extended.current = {of, page: {items, next: page.next}};
      render(version => version + 1);
    } catch (failure) {
      toastFailure((failure as ApiError).message);
    }
  };
  return {items: shown?.items ?? null, next: shown?.next ?? null, error, loading, refresh, more};
}
