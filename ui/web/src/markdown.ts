// SPDX-License-Identifier: Apache-2.0
//
// One event of an issue as Markdown: for a ticket, a chat, or whoever is asked about it.
import type {EventDetail, Frame, IssueDetail} from './api';
import {
  breadcrumbsOf,
  exceptionsOf,
  frameLocation,
  framesOf,
  isRecord,
  messageOf,
  pairsOf,
  sourceLines,
  text,
} from './event';
import {exact} from './format';

const crumbsMax = 20;
const framesMax = 60;
const valueMax = 500; // characters

const short = (value: string): string => (value.length > valueMax ? value.slice(0, valueMax) + '…' : value);
// One line, and nothing that ends a table cell or an inline code.
const inline = (value: unknown): string =>
  '`' +
  short(text(value))
    .replace(/[`\r\n]+/g, ' ')
    .trim() +
  '`';

function fenced(content: string): string {
  const longest = Math.max(2, ...(content.match(/`+/g) ?? []).map(run => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${content}\n${fence}`;
}

function list(pairs: [string, unknown][]): string {
  return pairs
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([key, value]) => `- ${key.replace(/[\r\n]+/g, ' ')}: ${inline(value)}`)
    .join('\n');
}

function frameLines(frame: Frame): string {
  const name = [text(frame.module), text(frame.function)].filter(Boolean).join('.') || '?';
  const head = `${frame.in_app === true ? '>' : ' '} ${name}  (${frameLocation(frame) || 'unknown place'})`;
  if (frame.in_app !== true) return head;
  const lines = sourceLines(frame);
  const current = lines.findIndex(line => line.current);
  const source = lines.filter((_, index) => Math.abs(index - current) <= 2);
  const code = source.map(line => `    ${line.current ? '->' : '  '} ${line.number ?? ''} ${line.text}`);
  const locals = isRecord(frame.vars) ? Object.entries(frame.vars) : [];
  const values = locals
    .slice(0, 20)
    .map(([key, value]) => `       ${key} = ${short(text(value)).replace(/\s+/g, ' ')}`);
  return [head, ...code, ...values].join('\n');
}

function exceptionParts(event: EventDetail): string[] {
  return exceptionsOf(event.document ?? {}).map((exception, index) => {
    const frames = framesOf(exception);
    const head = [text(exception.type), short(text(exception.value))].filter(Boolean).join(': ');
    const raw = frames.length === 0 ? text(exception.raw_stacktrace_text) : '';
    const lines = raw || frames.slice(0, framesMax).map(frameLines).join('\n');
    const more = frames.length > framesMax ? `\n  … ${frames.length - framesMax} more frames` : '';
    return `## ${index > 0 ? 'Caused by: ' : ''}${inline(head)}\n\n${lines ? fenced(lines + more) : 'No stack trace.'}`;
  });
}

export function eventMarkdown(issue: IssueDetail, event: EventDetail, address: string): string {
  const document = event.document ?? {};
  const request = isRecord(document['request']) ? document['request'] : null;
  const user = isRecord(document['user']) ? document['user'] : null;
  const message = messageOf(document);
  const crumbs = breadcrumbsOf(document);
  const parts = [
    `# ${short(issue.title).replace(/[\r\n]+/g, ' ')}`,
    list([
      ['Issue', `${issue.short_id}, ${issue.status}${issue.substatus ? ', ' + issue.substatus : ''}`],
      ['Events', exact(issue.count)],
      ['First seen', issue.first_seen],
      ['Last seen', issue.last_seen],
      ['This event', `${event.event_id} at ${event.timestamp}`],
      ['Culprit', event.culprit],
      ['Service', event.service],
      ['Environment', event.environment],
      ['Release', event.release],
      ['Request id', event.request_id],
      ['Trace id', event.trace_id],
      ['Page', address],
    ]),
    message ? `## Message\n\n${fenced(short(message))}` : '',
    ...exceptionParts(event),
    request
      ? `## HTTP request\n\n${list([
          ['Method', request['method']],
          ['URL', request['url']],
          ['Query', request['query_string']],
          ['Body', request['data']],
        ])}`
      : '',
    user ? `## User\n\n${list(Object.entries(user))}` : '',
    crumbs.length > 0
      ? `## Before it\n\n${crumbs
          .slice(-crumbsMax)
          .map(crumb => {
            const data = crumb.data.map(([key, value]) => `${key}=${text(value)}`).join(' ');
            return `- ${crumb.timestamp} ${inline([crumb.level, crumb.category, crumb.message, data].filter(Boolean).join(' '))}`;
          })
          .join('\n')}`
      : '',
    pairsOf(document['tags']).length > 0 ? `## Tags\n\n${list(pairsOf(document['tags']))}` : '',
  ];
  return parts.filter(Boolean).join('\n\n') + '\n';
}
