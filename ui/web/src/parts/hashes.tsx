// SPDX-License-Identifier: Apache-2.0
//
// The hashes of an issue: which events it takes, where they came from, and the way to split some off.
import {useState} from 'preact/hooks';
import {splitHashes, type ApiError, type IssueDetail, type IssueHash} from '../api';
import {exact, plural} from '../format';
import {hashGroups, outlineVariant, outlineWords, variantName, type HashGroup} from '../grouping';
import {navigate} from '../navigation';
import {hrefs} from '../route';
import {Id} from './copy';
import {Text} from './text';
import {Ago} from './time';
import {toast, toastFailure} from './toast';

// Asks before it does it.
function Split({
  issue,
  hashes,
  label,
  words,
  onDone,
}: {
  issue: IssueDetail;
  hashes: IssueHash[];
  label: string;
  words: string;
  onDone: () => void;
}) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const split = async (): Promise<void> => {
    setBusy(true);
    try {
      const made = await splitHashes(
        issue.id,
        hashes.map(hash => hash.hash),
      );
      toast(`${plural(made.count, 'event')} moved from ${issue.short_id} to ${made.short_id}`);
      navigate(hrefs.issue(made.id));
    } catch (failure) {
      toastFailure(`${issue.short_id} was not split: ${(failure as ApiError).message}`);
      onDone();
    }
    setBusy(false);
    setAsking(false);
  };
  if (!asking) {
    return (
      <button type="button" class="small" onClick={() => setAsking(true)}>
        {label}
      </button>
    );
  }
  return (
    <div class="confirm" role="group" aria-label={label}>
      <p>{words}</p>
      <button type="button" class="small primary" disabled={busy} onClick={() => void split()}>
        {label}
      </button>{' '}
      <button type="button" class="small" disabled={busy} onClick={() => setAsking(false)}>
        Cancel
      </button>
    </div>
  );
}

function whyNot(issue: IssueDetail, hash: IssueHash): string {
  if (hash.variant === outlineVariant) return outlineWords;
  if (hash.count === 0) return 'No event is counted under it.';
  return hash.count >= issue.count ? 'All events have it.' : '';
}

// With one title for all of them it would tell nothing.
function severalTitles(issue: IssueDetail): boolean {
  return new Set(issue.hashes.map(hash => hash.title).filter(Boolean)).size > 1;
}

function Hash({
  issue,
  hash,
  shown,
  alone,
  onDone,
}: {
  issue: IssueDetail;
  hash: IssueHash;
  shown: boolean; // the event shown has it
  alone: boolean; // what is offered for its group is the same
  onDone: () => void;
}) {
  return (
    <li>
      <p class="hash-line">
        <strong>
          <Text text={variantName(hash.variant)} />
        </strong>{' '}
        {hash.variant === outlineVariant ? null : <span>{plural(hash.count, 'event')}</span>}
        {shown ? <span class="badge">of the event shown</span> : null}
        {hash.split ? <span class="badge">split off</span> : null}
      </p>
      {hash.title && severalTitles(issue) ? (
        <p class="hash-title">
          <Text text={hash.title} />
        </p>
      ) : null}
      {hash.first_seen && hash.last_seen ? (
        <p class="dim">
          first <Ago time={hash.first_seen} />, last <Ago time={hash.last_seen} />
        </p>
      ) : null}
      <p class="dim">
        <Id id={hash.hash} what="hash" /> <Text text={hash.algorithm} />
      </p>
      {!hash.can_split ? <p class="dim">{whyNot(issue, hash)}</p> : null}
      {hash.can_split && !alone ? (
        <Split
          issue={issue}
          hashes={[hash]}
          label="Split into its own error"
          words={`${plural(hash.count, 'event')} of ${exact(issue.count)} will move to a new error. New events with this hash will go there too, for good.`}
          onDone={onDone}
        />
      ) : null}
    </li>
  );
}

function Group({
  issue,
  group,
  current,
  onDone,
}: {
  issue: IssueDetail;
  group: HashGroup;
  current: ReadonlySet<string>;
  onDone: () => void;
}) {
  const able = group.hashes.filter(hash => hash.can_split);
  return (
    <>
      {group.from ? (
        <div class="hash-from">
          <h3>
            Came with <Text text={group.from} />
          </h3>
          {able.length > 0 ? (
            <Split
              issue={issue}
              hashes={able}
              label={`Unmerge ${group.from}`}
              words={`The events that came with ${group.from}, and new ones like them, will be an error of their own again, for good.`}
              onDone={onDone}
            />
          ) : null}
        </div>
      ) : null}
      <ul>
        {group.hashes.map(hash => (
          <Hash
            key={hash.hash}
            issue={issue}
            hash={hash}
            shown={current.has(hash.hash)}
            alone={group.from !== null && able.length === 1}
            onDone={onDone}
          />
        ))}
      </ul>
    </>
  );
}

// `current` are the hashes of the event shown.
export function Hashes({
  issue,
  current,
  onDone,
}: {
  issue: IssueDetail;
  current: ReadonlySet<string>;
  onDone: () => void;
}) {
  if (issue.hashes.length === 0) return null;
  const groups = hashGroups(issue.hashes);
  return (
    <section class="hash-list">
      <h2>Grouping</h2>
      <details open={groups.length > 1 || issue.hashes.length > 2}>
        <summary>
          {plural(issue.hashes.length, 'hash', 'hashes')}
          {issue.merged.length > 0 ? `, ${plural(issue.merged.length, 'merged error')}` : ''}
        </summary>
        <p class="dim">An event with any of these hashes belongs to this error.</p>
        {groups.map(group => (
          <Group key={group.from ?? ''} issue={issue} group={group} current={current} onDone={onDone} />
        ))}
      </details>
    </section>
  );
}
