// SPDX-License-Identifier: Apache-2.0
import {useEffect, useState} from 'preact/hooks';
import {visible} from '../text';
import {Icon} from './icon';

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS, on another host than this one, there is no clipboard: the old way.
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'offscreen';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

type Copied = '' | 'done' | 'failed';

// What became of it, for as long as it takes to see.
function useCopied(): [Copied, (state: Copied) => void] {
  const [state, setState] = useState<Copied>('');
  useEffect(() => {
    if (!state) return undefined;
    const timer = setTimeout(() => setState(''), 1500);
    return () => clearTimeout(timer);
  }, [state]);
  return [state, setState];
}

export function Copy({text, what}: {text: string; what: string}) {
  const [state, setState] = useCopied();
  const label = state === 'done' ? 'Copied' : state === 'failed' ? 'Could not copy' : `Copy ${what}`;
  return (
    <button
      type="button"
      class={'icon-button copy ' + state}
      title={label}
      aria-label={label}
      onClick={async event => {
        event.stopPropagation();
        setState((await copy(text)) ? 'done' : 'failed');
      }}
    >
      <Icon name={state === 'done' ? 'check' : state === 'failed' ? 'cross' : 'copy'} />
    </button>
  );
}

// The same with words on it; the text is made when it is wanted.
export function CopyButton({label, text}: {label: string; text: () => string}) {
  const [state, setState] = useCopied();
  return (
    <button type="button" onClick={async () => setState((await copy(text())) ? 'done' : 'failed')}>
      <Icon name={state === 'done' ? 'check' : state === 'failed' ? 'cross' : 'copy'} />
      {state === 'done' ? 'Copied' : state === 'failed' ? 'Could not copy' : label}
    </button>
  );
}

// An id in full with its button.
export function Id({id, what}: {id: string; what: string}) {
  return (
    <span class="id">
      <code>{visible(id)}</code>
      <Copy text={id} what={what} />
    </span>
  );
}
