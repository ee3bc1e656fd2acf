// SPDX-License-Identifier: Apache-2.0
//
// What came beside an event: files, and what the people said whom it hit.
import {useState} from 'preact/hooks';
import {ask, paths, type ApiError, type Attachment, type Feedback, type FeedbackList} from '../api';
import {bytes} from '../format';
import {usePolled} from '../hooks';
import {Icon} from '../parts/icon';
import {Lines, Text} from '../parts/text';
import {Ago} from '../parts/time';
import {toastFailure} from '../parts/toast';
import {Value} from '../parts/values';
import {hrefs} from '../route';
import {visible} from '../text';

const pictures = /^image\/(png|jpeg|gif|webp)$/;
const pictureBytesMax = 8 << 20;

export function Attachments({eventId, attachments}: {eventId: string; attachments: Attachment[]}) {
  return (
    <ul class="attachments">
      {attachments.map(attachment => {
        const name = attachment.filename || `attachment ${attachment.id}`;
        const address = paths.attachment(eventId, attachment.id);
        const isPicture =
          attachment.kept && pictures.test(attachment.content_type ?? '') && attachment.bytes <= pictureBytesMax;
        return (
          <li key={attachment.id} class="card">
            {isPicture ? <img src={address} alt={visible(name)} loading="lazy" /> : null}
            <p>
              {attachment.kept ? (
                <a href={address} download={visible(name)}>
                  <Icon name="download" /> <Text text={name} />
                </a>
              ) : (
                <Text text={name} />
              )}
            </p>
            <p class="dim">
              {bytes(attachment.bytes)}
              {attachment.content_type ? (
                <>
                  {' · '}
                  <Text text={attachment.content_type} />
                </>
              ) : null}
              {attachment.attachment_type ? (
                <>
                  {' · '}
                  <Text text={attachment.attachment_type} />
                </>
              ) : null}
            </p>
            {attachment.kept ? null : (
              <p>
                Not kept: <Text text={attachment.reason ?? 'no reason is known'} />
              </p>
            )}
          </li>
        );
      })}
    </ul>
  );
}

const mailbox = /^[^\s@<>"?&]+@[^\s@<>"?&]+$/;

function Said({of, issueId}: {of: Feedback; issueId: string | null}) {
  return (
    <li class="card said">
      <p class="dim">
        <strong>
          <Text text={of.name || of.email || 'Somebody'} />
        </strong>{' '}
        {of.name && of.email ? <Text text={of.email} /> : null}{' '}
        {of.email && mailbox.test(of.email) ? <a href={'mailto:' + of.email}>answer</a> : null} <Ago time={of.time} />
        {issueId && of.event_id ? (
          <>
            {' · '}
            <a href={hrefs.issue(issueId, of.event_id)}>its event</a>
          </>
        ) : null}
      </p>
      <blockquote>
        <Lines text={of.message} />
      </blockquote>
      {of.url ? (
        <p class="dim">
          on <Value value={of.url} />
        </p>
      ) : null}
    </li>
  );
}

// Of one event, which is on the page already.
export function EventFeedback({feedback}: {feedback: Feedback[]}) {
  if (feedback.length === 0) return null;
  return (
    <section aria-labelledby="said-title">
      <h2 id="said-title">What the user said</h2>
      <ul>
        {feedback.map(each => (
          <Said key={each.id} of={each} issueId={null} />
        ))}
      </ul>
    </section>
  );
}

const pollMs = 10000;

// Of all events of the issue but the one that is shown.
export function IssueFeedback({issueId, shown}: {issueId: string; shown: string | null}) {
  const {data} = usePolled<FeedbackList>(paths.issueFeedback(issueId), pollMs);
  const [older, setOlder] = useState<Feedback[]>([]);
  const [next, setNext] = useState<string | null | undefined>(undefined);
  const cursor = next === undefined ? (data?.next ?? null) : next;
  const known = new Set(data?.feedback.map(each => each.id));
  const all = [...(data?.feedback ?? []), ...older.filter(each => !known.has(each.id))];
  const others = all.filter(each => each.event_id === null || each.event_id !== shown);
  if (others.length === 0) return null;
  const more = async (): Promise<void> => {
    try {
      const page = await ask<FeedbackList>(paths.issueFeedback(issueId, cursor!));
      setOlder([...older, ...page.feedback]);
      setNext(page.next);
    } catch (failure) {
      toastFailure((failure as ApiError).message);
    }
  };
  return (
    <section aria-labelledby="feedback-title">
      <h2 id="feedback-title">What users said of this error</h2>
      <ul>
        {others.map(each => (
          <Said key={each.id} of={each} issueId={issueId} />
        ))}
      </ul>
      {cursor ? (
        <p class="more">
          <button type="button" onClick={() => void more()}>
            Older ones
          </button>
        </p>
      ) : null}
    </section>
  );
}
