// SPDX-License-Identifier: Apache-2.0
//
// Moving between pages without loading anew: the address bar is the state. Each entry of the history remembers how far
// it was scrolled.
import {useEffect, useState} from 'preact/hooks';
import {parseRoute, type Route} from './route';

const listeners = new Set<() => void>();

function announce(): void {
  listeners.forEach(listener => listener());
}

function rememberScroll(): void {
  history.replaceState({scroll: window.scrollY}, '');
}

export function startNavigation(): void {
  history.scrollRestoration = 'manual';
  window.addEventListener('popstate', announce);
  window.addEventListener('beforeunload', rememberScroll);
  document.addEventListener('click', event => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (parseRoute(link.pathname, link.search).page === 'missing') return;
    event.preventDefault();
    navigate(link.pathname + link.search);
  });
}

export function navigate(address: string): void {
  if (address === location.pathname + location.search) return;
  rememberScroll();
  history.pushState({scroll: 0}, '', address);
  announce();
}

// Changes the address without an entry in the history: filters while typing.
export function replace(address: string): void {
  history.replaceState(history.state, '', address);
  announce();
}

// Once the page has its content. An entry that was left comes back to where it was.
export function restoreScroll(): void {
  const state = history.state as {scroll?: number} | null;
  window.scrollTo(0, state?.scroll ?? 0);
}

export function useRoute(): Route {
  const [address, setAddress] = useState(location.pathname + location.search);
  useEffect(() => {
    const listener = (): void => setAddress(location.pathname + location.search);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  const at = address.indexOf('?');
  return parseRoute(at < 0 ? address : address.slice(0, at), at < 0 ? '' : address.slice(at));
}
