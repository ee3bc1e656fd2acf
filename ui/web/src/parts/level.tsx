// SPDX-License-Identifier: Apache-2.0
import type {IssueStatus} from '../api';
import {Text} from './text';

const levels = ['fatal', 'error', 'warning', 'info', 'debug'];

export function levelClass(level: string | null | undefined): string {
  return 'level-' + (levels.includes(level ?? '') ? level : 'error');
}

export function Level({level}: {level: string | null | undefined}) {
  return (
    <span class={'badge ' + levelClass(level)}>
      <Text text={level || 'error'} />
    </span>
  );
}

export function StatusBadge({status, substatus}: {status: IssueStatus; substatus?: string | null}) {
  if (status !== 'unresolved') return <span class={'badge status-' + status}>{status}</span>;
  return substatus === 'new' || substatus === 'regressed' ? (
    <span class={'badge substatus-' + substatus}>{substatus}</span>
  ) : null;
}
