// SPDX-License-Identifier: Apache-2.0
//
// One issue as a row of the inbox.
import type {Issue, IssueStatus} from '../api';
import {plural, short, shortType} from '../format';
import {Icon} from '../parts/icon';
import {levelClass, StatusBadge} from '../parts/level';
import {Pick, type Choice} from '../parts/merge';
import {Sparkline} from '../parts/sparkline';
import {Text} from '../parts/text';
import {Ago} from '../parts/time';
import {hrefs} from '../route';
import {visible} from '../text';

function Actions({issue, onChange}: {issue: Issue; onChange: (issue: Issue, status: IssueStatus) => void}) {
  const button = (status: IssueStatus, icon: 'check' | 'mute' | 'undo', label: string) => (
    <button
      type="button"
      class="icon-button"
      title={label}
      aria-label={`${label} ${issue.short_id}`}
      onClick={() => onChange(issue, status)}
    >
      <Icon name={icon} />
    </button>
  );
  return (
    <span class="row-actions">
      {issue.status === 'unresolved' ? (
        <>
          {button('resolved', 'check', 'Resolve')}
          {button('muted', 'mute', 'Mute')}
        </>
      ) : (
        button('unresolved', 'undo', 'Reopen')
      )}
    </span>
  );
}

interface RowProps {
  issue: Issue;
  fresh: boolean;
  choice: Choice;
  onChange: (issue: Issue, status: IssueStatus) => void;
}

export function Row({issue, fresh, choice, onChange}: RowProps) {
  const services = issue.services.slice(0, 2);
  const type = issue.type || issue.title;
  return (
    <tr
      data-issue={issue.id}
      class={`issue ${levelClass(issue.level)}${fresh ? ' fresh' : ''}${choice.has(issue) ? ' chosen' : ''}`}
    >
      <td class="what">
        <Pick issue={issue} choice={choice} />
        <a class="title" href={hrefs.issue(issue.id)} title={shortType(type) === type ? undefined : visible(type)}>
          <strong>
            <Text text={shortType(type)} />
          </strong>
          {issue.type && issue.value ? (
            <span class="value">
              <Text text={issue.value} />
            </span>
          ) : null}
        </a>
        <div class="sub">
          <StatusBadge status={issue.status} substatus={issue.substatus} />
          {issue.level !== 'error' ? (
            <span class={'badge ' + levelClass(issue.level)}>
              <Text text={issue.level} />
            </span>
          ) : null}
          {services.length > 0 ? (
            <span class="services">
              {services.map(service => (
                <span key={service} class="service">
                  <Text text={service} />
                </span>
              ))}
              {issue.services.length > 2 ? (
                <span class="dim" title={issue.services.map(visible).join(', ')}>
                  +{issue.services.length - 2}
                </span>
              ) : null}
            </span>
          ) : null}
          {issue.culprit ? (
            <span class="culprit">
              <Text text={issue.culprit} />
            </span>
          ) : null}
          <span class="dim short-id">
            <Text text={issue.short_id} />
          </span>
        </div>
      </td>
      <td class="spark">
        <Sparkline counts={issue.sparkline} />
      </td>
      <td class="number" title={plural(issue.count, 'event')}>
        {short(issue.count)}
        <span class="unit">{issue.count === 1 ? ' event' : ' events'}</span>
      </td>
      <td class="when">
        <span class="unit">last </span>
        <Ago time={issue.last_seen} />
      </td>
      <td class="when">
        <span class="unit">first </span>
        <Ago time={issue.first_seen} />
      </td>
      <td class="actions">
        <Actions issue={issue} onChange={onChange} />
      </td>
    </tr>
  );
}
