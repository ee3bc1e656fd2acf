// SPDX-License-Identifier: Apache-2.0
//
// What somebody said: who, when, of what, the words, and the files that came with them.
import type {Feedback} from '../api';
import {hrefs} from '../route';
import {AttachmentsOf} from './attachments';
import {Lines, Text} from './text';
import {Ago} from './time';
import {Value} from './values';

const mailbox = /^[^\s@<>"?&]+@[^\s@<>"?&]+$/;

interface SaidProps {
  of: Feedback;
  about?: 'event' | 'issue'; // what to lead to: on an issue's page its event, elsewhere the issue
  withProject?: boolean;
}

export function Said({of, about, withProject}: SaidProps) {
  return (
    <li class="card said" tabIndex={-1}>
      <p class="dim">
        <strong>
          <Text text={of.name || of.email || 'Somebody'} />
        </strong>{' '}
        {of.name && of.email ? <Text text={of.email} /> : null}{' '}
        {of.email && mailbox.test(of.email) ? <a href={'mailto:' + of.email}>answer</a> : null} <Ago time={of.time} />
        {withProject ? (
          <>
            {' · '}
            <Text text={of.project} />
          </>
        ) : null}
        {about === 'event' && of.issue && of.event_id ? (
          <>
            {' · '}
            <a href={hrefs.issue(of.issue.id, of.event_id)}>its event</a>
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
      {about === 'issue' ? <About of={of} /> : null}
      {of.attachments > 0 ? <AttachmentsOf id={of.id} /> : null}
    </li>
  );
}

function About({of}: {of: Feedback}) {
  if (!of.issue) return of.event_id ? <p class="dim">about an error that is not kept</p> : null;
  return (
    <p class="dim about-error">
      about{' '}
      <a href={hrefs.issue(of.issue.id, of.event_id)}>
        <Text text={of.issue.title} />
      </a>{' '}
      <Text text={of.issue.short_id} />
    </p>
  );
}
