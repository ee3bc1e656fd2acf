// SPDX-License-Identifier: Apache-2.0
//
// What is special about one event, in one line: whom it hit, what they asked for, where it ran.
import type {EventDetail, IssueDetail} from '../api';
import {isRecord, pairsOf, text} from '../event';
import {metaAt} from '../meta';
import {Value} from '../parts/values';
import {Text} from '../parts/text';

function named(context: unknown): string {
  return isRecord(context) ? [text(context['name']), text(context['version'])].filter(Boolean).join(' ') : '';
}

export function Highlights({issue, event}: {issue: IssueDetail; event: EventDetail}) {
  const document = event.document ?? {};
  const meta = document['_meta'];
  const user = isRecord(document['user']) ? document['user'] : {};
  const request = isRecord(document['request']) ? document['request'] : {};
  const contexts = isRecord(document['contexts']) ? document['contexts'] : {};
  const tag = (name: string): string => text(pairsOf(document['tags']).find(([key]) => key === name)?.[1]);
  const who = ['email', 'username', 'name', 'id', 'ip_address'].find(key => text(user[key]));
  const facts: [string, preact.ComponentChildren][] = [];
  const add = (name: string, value: string): void => {
    if (value) facts.push([name, <Text key={name} text={value} />]);
  };
  if (who) facts.push(['User', <Value key="user" value={user[who]} meta={metaAt(meta, 'user', who)} />]);
  if (text(request['url']))
    facts.push([
      'Request',
      <>
        <Text text={text(request['method'])} /> <Value value={request['url']} meta={metaAt(meta, 'request', 'url')} />
      </>,
    ]);
  if (text(document['transaction']) !== issue.culprit) add('Transaction', text(document['transaction']));
  add('Server', text(document['server_name']) || tag('host.name'));
  add('Browser', named(contexts['browser']) || tag('browser'));
  add('System', named(contexts['os']));
  add('Runtime', named(contexts['runtime']));
  if (facts.length === 0) return null;
  return (
    <dl class="facts highlights" aria-label="This event">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
