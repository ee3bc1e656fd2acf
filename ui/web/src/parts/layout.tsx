// SPDX-License-Identifier: Apache-2.0
//
// What every page has: the way home, the search box, the theme, the list of keys.
import type {ComponentChildren} from 'preact';
import {useEffect, useRef, useState} from 'preact/hooks';
import {useKeys} from '../hooks';
import {navigate} from '../navigation';
import {hrefs, searchedId, type Route} from '../route';
import {storedTheme, storeTheme, type Theme} from '../theme';
import {Icon} from './icon';
import {Toasts} from './toast';

const themes: Theme[] = ['system', 'light', 'dark'];
const themeIcons = {system: 'system', light: 'sun', dark: 'moon'} as const;

const help: [string, [string, string][]][] = [
  [
    'Everywhere',
    [
      ['/', 'look up a request id or trace id'],
      ['g i', 'errors'],
      ['g f', 'feedback'],
      ['g p', 'projects'],
      ['g s', 'status'],
      ['t', 'theme: system, light, dark'],
      ['z', 'take the last change back'],
      ['?', 'this list'],
      ['Esc', 'leave a field, close'],
    ],
  ],
  [
    'Errors',
    [
      ['j k', 'down, up'],
      ['Enter', 'open'],
      ['e', 'resolve'],
      ['m', 'mute'],
      ['u', 'reopen'],
      ['x', 'choose, several of them to merge'],
      ['m', 'merge those chosen'],
      ['f', 'filter by text'],
    ],
  ],
  [
    'Feedback',
    [
      ['j k', 'down, up'],
      ['o', 'open the error it is about'],
    ],
  ],
  [
    'One error',
    [
      ['e m u', 'resolve, mute, reopen'],
      ['j k', 'older event, newer event'],
      ['r a w', 'frames: relevant, all, as text'],
      ['o', 'open its request'],
    ],
  ],
  [
    'One request',
    [
      ['j k', 'down, up'],
      ['Enter', 'details'],
      ['h l', 'fold, unfold'],
      ['x', 'scale to the selected span, and back'],
      ['L', 'logs on and off'],
      ['n', 'next error'],
      ['f', 'find in this request'],
    ],
  ],
];

function Search() {
  const input = useRef<HTMLInputElement>(null);
  useKeys({'/': () => input.current?.select()});
  return (
    <form
      class="search"
      role="search"
      action="/"
      onSubmit={event => {
        event.preventDefault();
        const id = searchedId(input.current!.value);
        if (!id) return;
        input.current!.value = '';
        input.current!.blur();
        navigate(hrefs.request(id));
      }}
    >
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        name="id"
        placeholder="Request ID or trace ID"
        aria-label="Request ID or trace ID"
        autocomplete="off"
        spellcheck={false}
        maxLength={512}
      />
      <kbd aria-hidden="true">/</kbd>
    </form>
  );
}

function ThemeButton() {
  const [theme, setTheme] = useState(storedTheme);
  const next = themes[(themes.indexOf(theme) + 1) % themes.length]!;
  const change = (): void => {
    storeTheme(next);
    setTheme(next);
  };
  useKeys({t: change});
  const label = `Theme: ${theme}. Change to ${next}`;
  return (
    <button type="button" class="icon-button" onClick={change} title={label} aria-label={label}>
      <Icon name={themeIcons[theme]} />
    </button>
  );
}

function Help({open, onClose}: {open: boolean; onClose: () => void}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open && !dialog.current!.open) dialog.current!.showModal();
    if (!open && dialog.current!.open) dialog.current!.close();
  }, [open]);
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-labelledby="help-title"
      onClose={onClose}
      onClick={event => event.target === dialog.current && onClose()}
    >
      <div class="dialog-head">
        <h2 id="help-title">Keys</h2>
        <button type="button" class="icon-button" onClick={onClose} aria-label="Close">
          <Icon name="cross" />
        </button>
      </div>
      <div class="help-lists">
        {help.map(([title, keys]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {keys.map(([key, what]) => (
                <div key={key}>
                  <dt>
                    {key.split(' ').map(each => (
                      <kbd key={each}>{each}</kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </dialog>
  );
}

export function Layout({route, children}: {route: Route; children: ComponentChildren}) {
  const [helpOpen, setHelpOpen] = useState(false);
  const go = (address: string) => (): void => navigate(address);
  useKeys({
    '?': () => setHelpOpen(true),
    'g i': go('/'),
    'g f': go(hrefs.feedback('')),
    'g p': go(hrefs.projects),
    'g s': go(hrefs.status),
  });
  const current = (page: string): 'page' | undefined => (route.page === page ? 'page' : undefined);
  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <header class="top">
        <a class="brand" href="/" aria-label="culprit, errors">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" />
            <circle cx="14" cy="14" r="6.5" />
            <path d="M19 19l6 6" />
          </svg>
          <span>culprit</span>
        </a>
        <nav aria-label="Pages">
          <a href="/" aria-current={current('inbox')}>
            Errors
          </a>
          <a href={hrefs.feedback('')} aria-current={current('feedback')}>
            Feedback
          </a>
          <a href={hrefs.projects} aria-current={current('projects') ?? current('project')}>
            Projects
          </a>
          <a href={hrefs.status} aria-current={current('status')}>
            Status
          </a>
        </nav>
        <Search />
        <div class="top-buttons">
          <ThemeButton />
          <button
            type="button"
            class="icon-button help-button"
            onClick={() => setHelpOpen(true)}
            title="Keys"
            aria-label="Keys"
          >
            <span aria-hidden="true">?</span>
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <Toasts />
      <Help open={helpOpen} onClose={() => setHelpOpen(false)} />
    </>
  );
}
