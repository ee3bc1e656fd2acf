// SPDX-License-Identifier: Apache-2.0
//
// What the people said whom an error hit.
import {paths, type Feedback, type FeedbackList} from '../api';
import {usePages} from '../paging';
import {Said} from '../parts/said';

// Of one event, which is on the page already.
export function EventFeedback({feedback}: {feedback: Feedback[]}) {
  if (feedback.length === 0) return null;
  return (
    <section aria-labelledby="said-title">
      <h2 id="said-title">What the user said</h2>
      <ul>
        {feedback.map(each => (
          <Said key={each.id} of={each} />
        ))}
      </ul>
    </section>
  );
}

const pollMs = 10000;

// Of all events of the issue but the one that is shown.
export function IssueFeedback({issueId, shown}: {issueId: string; shown: string | null}) {
  const {items, next, more} = usePages<FeedbackList, Feedback>({
    path: cursor => paths.issueFeedback(issueId, cursor),
    read: answer => ({items: answer.feedback, next: answer.next}),
    idOf: each => each.id,
    interval: pollMs,
  });
  const others = (items ?? []).filter(each => each.event_id === null || each.event_id !== shown);
  if (others.length === 0) return null;
  return (
    <section aria-labelledby="feedback-title">
      <h2 id="feedback-title">What users said of this error</h2>
      <ul>
        {others.map(each => (
          <Said key={each.id} of={each} about="event" />
        ))}
      </ul>
      {next ? (
        <p class="more">
          <button type="button" onClick={() => void more()}>
            Older ones
          </button>
        </p>
      ) : null}
    </section>
  );
}
