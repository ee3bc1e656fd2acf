// SPDX-License-Identifier: Apache-2.0
//
// Short messages about what was just done, with at most one way back.
import {useEffect, useState} from 'preact/hooks';
import {useKeys} from '../hooks';
import {Text} from './text';

interface Toast {
  text: string;
  failed: boolean;
  undo?: () => void;
}

let show: (toast: Toast) => void = () => undefined;

export function toast(text: string, undo?: () => void): void {
  show({text, failed: false, undo});
}

export function toastFailure(text: string): void {
  show({text, failed: true});
}

export function Toasts() {
  const [current, setCurrent] = useState<Toast | null>(null);
  useEffect(() => {
    show = setCurrent;
    return () => void (show = () => undefined);
  }, []);
  useEffect(() => {
    if (!current) return undefined;
    const timer = setTimeout(() => setCurrent(null), 7000);
    return () => clearTimeout(timer);
  }, [current]);
  const undo = (): void => {
    current?.undo?.();
    setCurrent(null);
  };
  useKeys(current?.undo ? {z: undo} : {});
  return (
    <div class="toasts" role="status" aria-live="polite">
      {current ? (
        <div class={'toast' + (current.failed ? ' failed' : '')}>
          <span>
            <Text text={current.text} />
          </span>
          {current.undo ? (
            <button type="button" onClick={undo}>
              Undo <kbd>z</kbd>
            </button>
          ) : null}
        </div>
      ) : null}
    </div>
  );
}
