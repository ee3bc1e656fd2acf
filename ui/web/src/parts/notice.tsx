// SPDX-License-Identifier: Apache-2.0
import type {ComponentChildren} from 'preact';
import {useEffect, useState} from 'preact/hooks';
import type {ApiError} from '../api';
import {Text} from './text';

// Says that it loads only when that takes long enough to be noticed.
export function Loading({what}: {what: string}) {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), 150);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="loading" role="status">
      {slow ? (
        <>
          <span class="spinner" aria-hidden="true" />
          Loading {what}…
        </>
      ) : null}
    </div>
  );
}

export function Failure({error, title, children}: {error: ApiError; title: string; children?: ComponentChildren}) {
  return (
    <div class="failure" role="alert">
      <h2>{title}</h2>
      <p>
        <Text text={error.message} />
        {error.field ? (
          <>
            {' '}
            (in{' '}
            <code>
              <Text text={error.field} />
            </code>
            )
          </>
        ) : null}
      </p>
      {error.code ? <p class="dim">HTTP {error.code}</p> : null}
      {children}
    </div>
  );
}

// Above a page that still shows what an earlier answer said.
export function Stale({error}: {error: ApiError | null}) {
  return error ? (
    <div class="stale" role="alert">
      <strong>Not up to date.</strong> <Text text={error.message} /> Trying again.
    </div>
  ) : null;
}
