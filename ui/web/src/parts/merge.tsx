// SPDX-License-Identifier: Apache-2.0
//
// Choosing several errors of the list, and merging them into one of them.
import {useEffect, useRef, useState} from 'preact/hooks';
import {mergeIssues, type ApiError, type Issue} from '../api';
import {plural} from '../format';
import {useKeys} from '../hooks';
import {Text} from './text';
import {toast, toastFailure} from './toast';

export interface Choice {
  chosen: Issue[]; // in the order of the list
  has: (issue: Issue) => boolean;
  toggle: (issue: Issue) => void;
  clear: () => void;
}

// What is chosen of the errors that are shown; another list (`query`) begins with nothing.
export function useChoice(shown: Issue[], query: string): Choice {
  const [state, setState] = useState<{query: string; ids: ReadonlySet<string>}>({query, ids: new Set()});
  const ids = state.query === query ? state.ids : new Set<string>();
  return {
    chosen: shown.filter(issue => ids.has(issue.id)),
    has: issue => ids.has(issue.id),
    toggle: issue => {
      const next = new Set(ids);
      if (!next.delete(issue.id)) next.add(issue.id);
      setState({query, ids: next});
    },
    clear: () => setState({query, ids: new Set()}),
  };
}

export function Pick({issue, choice}: {issue: Issue; choice: Choice}) {
  return (
    <input
      type="checkbox"
      class="pick"
      checked={choice.has(issue)}
      aria-label={`Choose ${issue.short_id}`}
      title="Choose (x)"
      onChange={() => choice.toggle(issue)}
    />
  );
}

// The one with the longest history stays, unless somebody says otherwise.
const oldest = (issues: Issue[]): Issue => issues.reduce((a, b) => (b.first_seen < a.first_seen ? b : a));

function MergeDialog({issues, onClose, onDone}: {issues: Issue[]; onClose: () => void; onDone: () => void}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [id, setId] = useState(() => oldest(issues).id);
  const [busy, setBusy] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  const target = issues.find(issue => issue.id === id) ?? oldest(issues);
  const others = issues.filter(issue => issue.id !== target.id);
  const merge = async (): Promise<void> => {
    setBusy(true);
    try {
      const left = await mergeIssues(
        target.id,
        others.map(issue => issue.id),
      );
      toast(`${plural(others.length, 'error')} merged into ${left.short_id}`);
      onDone();
    } catch (failure) {
      toastFailure(`Nothing was merged: ${(failure as ApiError).message}`);
      onClose();
    }
  };
  return (
    <dialog ref={dialog} class="merge" aria-labelledby="merge-title" onClose={onClose}>
      <h2 id="merge-title">Merge {plural(issues.length, 'error')} into one</h2>
      <fieldset>
        <legend>All go into</legend>
        {issues.map(issue => (
          <label key={issue.id}>
            <input type="radio" name="target" checked={issue.id === target.id} onChange={() => setId(issue.id)} />
            <span class="merge-what">
              <span class="merge-title">
                <Text text={issue.title} />
              </span>
              <span class="dim">
                <Text text={issue.short_id} />, {plural(issue.count, 'event')}
              </span>
            </span>
          </label>
        ))}
      </fieldset>
      <p>
        New events of {others.length === 1 ? 'the other one' : 'the others'} will go into{' '}
        <strong>
          <Text text={target.short_id} />
        </strong>{' '}
        too, and {others.length === 1 ? 'its address' : 'their addresses'} will lead there. It can be undone on its
        page, under Grouping.
      </p>
      <div class="buttons">
        <button type="button" class="primary" disabled={busy} onClick={() => void merge()}>
          Merge into <Text text={target.short_id} />
        </button>
        <button type="button" disabled={busy} onClick={() => dialog.current?.close()}>
          Cancel
        </button>
      </div>
    </dialog>
  );
}

// There only while `m` means this: the newest component's keys count.
function MergeKey({ask}: {ask: () => void}) {
  useKeys({m: ask});
  return null;
}

// Shown while something is chosen. `m` asks to merge as soon as there are two.
export function MergeBar({choice, onDone}: {choice: Choice; onDone: () => void}) {
  const [asking, setAsking] = useState<Issue[] | null>(null);
  const {chosen, clear} = choice;
  const projects = new Set(chosen.map(issue => issue.project));
  const can = chosen.length > 1 && chosen.length <= 100 && projects.size === 1;
  const ask = (): void => {
    if (can && !asking) setAsking(chosen);
  };
  if (chosen.length === 0 && !asking) return null;
  return (
    <div class="merge-bar" role="group" aria-label="Chosen errors">
      {chosen.length > 1 && !asking ? <MergeKey ask={ask} /> : null}
      <span role="status">{plural(chosen.length, 'error')} chosen</span>
      <button type="button" class="primary" disabled={!can} onClick={ask}>
        Merge… <kbd>m</kbd>
      </button>
      <button type="button" onClick={clear}>
        Choose none
      </button>
      {chosen.length === 1 ? <span class="dim">Choose another one to merge it with.</span> : null}
      {projects.size > 1 ? <span>Only errors of one project can be merged.</span> : null}
      {chosen.length > 100 ? <span>At most 100 at a time.</span> : null}
      {asking ? (
        <MergeDialog
          issues={asking}
          onClose={() => setAsking(null)}
          onDone={() => {
            setAsking(null);
            clear();
            onDone();
          }}
        />
      ) : null}
    </div>
  );
}
