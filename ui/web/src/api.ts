// SPDX-License-Identifier: Apache-2.0
//
// The API of docs/api.md: its shapes, and one function that asks it.

export type IssueStatus = 'unresolved' | 'resolved' | 'muted';

export interface Issue {
  id: string;
  short_id: string;
  project: string;
  title: string;
  type?: string | null;
  value?: string | null;
  culprit?: string | null;
  level: string;
  platform?: string | null;
  status: IssueStatus;
  substatus?: string | null;
  count: number;
  services: string[];
  environments: string[];
  releases: string[];
  first_seen: string;
  last_seen: string;
  sparkline: number[];
}

export interface IssueList {
  issues: Issue[];
  next: string | null;
  services: string[];
  environments: string[];
  projects: string[];
}

export const tagValuesMax = 100;

export interface Tag {
  key: string;
  total: number;
  distinct: number; // counted up to tagValuesMax
  values: {value: string; count: number}[];
}

export interface IssueHash {
  hash: string;
  algorithm: string;
  variant: string;
  title: string | null;
  count: number;
  first_seen?: string | null;
  last_seen?: string | null;
  merged_from: string | null;
  split: boolean;
  can_split: boolean;
}

export interface IssueDetail extends Issue {
  first_event: string | null;
  latest_event: string | null;
  tags: Tag[];
  hashes: IssueHash[];
  merged: {id: string; short_id: string}[];
  history: {time: string; kind: string; issue?: string | null}[];
  hours: {time: string; count: number}[];
}

export interface EventSummary {
  event_id: string;
  timestamp: string;
  title: string;
  service?: string | null;
  environment?: string | null;
  release?: string | null;
  trace_id?: string | null;
  request_id?: string | null;
  source: string;
}

export interface EventList {
  events: EventSummary[];
  next: string | null;
}

export interface Frame {
  function?: string | null;
  module?: string | null;
  filename?: string | null;
  abs_path?: string | null;
  lineno?: number | null;
  colno?: number | null;
  in_app?: boolean | null;
  context_line?: string | null;
  pre_context?: (string | null)[] | null;
  post_context?: (string | null)[] | null;
  vars?: Record<string, unknown> | null;
}

export interface Exception {
  type?: string | null;
  value?: string | null;
  module?: string | null;
  mechanism?: {type?: string | null; handled?: boolean | null} | null;
  stacktrace?: {frames?: (Frame | null)[] | null} | null;
  raw_stacktrace_text?: string | null;
}

export interface Component {
  id: string;
  name?: string | null;
  contributes: boolean;
  hint?: string | null;
  values: (Component | string | number | null)[];
}

// The event in Sentry's schema. It comes from outside and may hold anything anywhere: event.ts reads it.
export type EventDocument = Record<string, unknown>;

export interface EventDetail extends EventSummary {
  issue: {id: string; title: string; short_id: string; status: IssueStatus};
  received?: string | null;
  span_id?: string | null;
  level?: string | null;
  platform?: string | null;
  culprit?: string | null;
  previous: string | null;
  next: string | null;
  attachments?: Attachment[];
  feedback?: Feedback[];
  grouping?: {
    algorithm: string;
    variants: Record<string, {hash: string | null; contributes: boolean; component: Component}>;
  } | null;
  document: EventDocument;
}

export type Attributes = Record<string, unknown>;

export interface Span {
  trace_id: string;
  span_id: string;
  parent_span_id?: string | null;
  name: string;
  kind: string;
  service?: string | null;
  scope?: string | null;
  start_ns: string;
  end_ns: string;
  status: string;
  status_message?: string | null;
  trace_state?: string | null;
  attributes?: Attributes | null;
  resource?: Attributes | null;
  events?: {time_ns: string; name: string; attributes?: Attributes | null}[] | null;
  links?: {trace_id: string; span_id: string; attributes?: Attributes | null}[] | null;
}

export interface Log {
  time_ns: string;
  severity_number?: number | null;
  severity?: string | null;
  service?: string | null;
  scope?: string | null;
  trace_id?: string | null;
  span_id?: string | null;
  request_id?: string | null;
  body?: unknown;
  event_name?: string | null;
  attributes?: Attributes | null;
  resource?: Attributes | null;
}

export interface RequestEvent {
  event_id: string;
  issue_id: string;
  title: string;
  timestamp: string;
  time_ns: string;
  service?: string | null;
  trace_id?: string | null;
  span_id?: string | null;
  level?: string | null;
}

export interface TraceVerdict {
  trace_id: string;
  decision: string;
  policy?: string | null;
  probability?: number | null;
  late?: boolean;
}

export interface RequestDocument {
  id: string;
  request_ids: string[];
  trace_ids: string[];
  truncated: boolean;
  spans: Span[];
  logs: Log[];
  events: RequestEvent[];
  verdict: {
    decision: string;
    policy?: string | null;
    probability?: number | null;
    traces?: TraceVerdict[] | null;
  } | null;
  jaeger_url: string | null;
}

export interface Received {
  requests: number;
  items: number;
  bytes: number;
  refused: number;
  rejected: number;
}

export interface JournalStatus {
  bytes: number;
  max_bytes: number;
  records: number;
  lag_records: number;
  quarantined: number;
}

export interface Status {
  version: string;
  started: string;
  uptime_s: number;
  ready: boolean;
  reasons: string[];
  data_dir: string;
  listening: {grpc: string | null; http: string | null; ui: string | null};
  received: Record<string, Received>;
  items: Record<string, number>;
  client_reports: ClientReport[] | null;
  sampling: {
    kept: number;
    dropped: number;
    late: number;
    policies: {policy: string; kept: number}[];
    waiting_traces: number;
    decision_wait_s: number;
  };
  inbox: {events: number; duplicates: number; issues: number; lag_records: number};
  journal: Record<string, JournalStatus>;
  store: {bytes: number; max_bytes: number; issues: number; events: number};
  exporters: {
    name: string;
    endpoint?: string | null;
    state: string;
    sent: number;
    retried: number;
    dead: number;
    queue_records: number;
    queue_age_s: number;
    last_error?: string | null;
  }[];
  memory: {in_flight_bytes: number; max_bytes: number; resident_bytes: number};
  commit_latency_ms: {p50: number; p99: number};
  disk: {free_bytes: number; total_bytes: number};
  libraries: Record<string, string>;
}

export interface ProjectKey {
  key: string;
  active: boolean;
  created: string;
  dsn: string | null;
}

export interface ScrubSettings {
  enabled: boolean | null; // null, here and below: as configured
  defaults: boolean | null;
  ip_addresses: boolean | null;
  sensitive_keys: string[] | null;
  safe_keys: string[] | null;
}

export interface ProjectSettings {
  scrub: ScrubSettings;
  events_per_minute: number; // 0: no limit
  transactions_per_minute: number;
  logs_per_minute: number;
  enhancements?: string; // of one project only
  fingerprint_rules?: string;
}

export interface Project {
  id: string;
  slug: string;
  created: string;
  dsn: string | null;
  keys: ProjectKey[];
  settings: ProjectSettings;
}

export interface ProjectList {
  projects: Project[];
  defaults: {scrub: ScrubSettings};
}

export interface Attachment {
  id: string;
  filename: string | null;
  content_type: string | null;
  attachment_type: string | null;
  bytes: number;
  received: string;
  kept: boolean;
  reason: string | null;
  scrubbed: boolean;
}

export interface Feedback {
  id: string;
  project: string;
  event_id: string | null;
  issue_id: string | null;
  issue: {id: string; short_id: string; title: string | null} | null;
  kind: string;
  time: string;
  name: string | null;
  email: string | null;
  message: string;
  url: string | null;
  attachments: number; // under its id
}

export interface FeedbackList {
  feedback: Feedback[];
  next: string | null;
}

export interface ClientReport {
  project: string;
  reason: string;
  category: string;
  quantity: number; // in 7 days
  quantity_24h: number;
  since: string;
}

// A failed call in words for a person. `code` is the HTTP status, 0 when no answer came.
export class ApiError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly field: string | null = null,
    readonly line: number | null = null, // of a text that was sent, from 1
    readonly column: number | null = null,
  ) {
    super(message);
  }
}

export const paths = {
  issues: (query: string): string => '/api/v1/issues' + (query ? '?' + query : ''),
  issue: (id: string): string => '/api/v1/issues/' + encodeURIComponent(id),
  issueEvents: (id: string, cursor?: string): string =>
    `/api/v1/issues/${encodeURIComponent(id)}/events?limit=50` +
    (cursor ? '&cursor=' + encodeURIComponent(cursor) : ''),
  event: (id: string): string => '/api/v1/events/' + encodeURIComponent(id),
  request: (id: string): string => '/api/v1/requests/' + encodeURIComponent(id),
  attachment: (event: string, id: string): string =>
    `/api/v1/events/${encodeURIComponent(event)}/attachments/${encodeURIComponent(id)}`,
  issueFeedback: (id: string, cursor?: string): string =>
    `/api/v1/issues/${encodeURIComponent(id)}/feedback?limit=20` +
    (cursor ? '&cursor=' + encodeURIComponent(cursor) : ''),
  feedback: (project: string, cursor?: string): string =>
    '/api/v1/feedback?limit=50' +
    (project ? '&project=' + encodeURIComponent(project) : '') +
    (cursor ? '&cursor=' + encodeURIComponent(cursor) : ''),
  attachments: (event: string): string => `/api/v1/events/${encodeURIComponent(event)}/attachments`,
  status: '/api/v1/status',
  projects: '/api/v1/projects',
  project: (slug: string): string => '/api/v1/projects/' + encodeURIComponent(slug),
  projectKeys: (slug: string): string => `/api/v1/projects/${encodeURIComponent(slug)}/keys`,
  projectKey: (slug: string, key: string): string =>
    `/api/v1/projects/${encodeURIComponent(slug)}/keys/${encodeURIComponent(key)}`,
};

// The words of an error answer; whatever came instead of one is described.
export function errorOf(code: number, text: string): ApiError {
  try {
    const error = (JSON.parse(text) as {error?: Record<string, unknown>}).error;
    const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);
    if (error && (typeof error['message'] === 'string' || typeof error['status'] === 'string')) {
      const words =
        typeof error['message'] === 'string' && error['message'] ? error['message'] : String(error['status']);
      const field = typeof error['field'] === 'string' ? error['field'] : null;
      return new ApiError(code, words, field, number(error['line']), number(error['column']));
    }
  } catch {
    // Not the API's form: said below.
  }
  return new ApiError(code, `the server answered ${code} without a reason`);
}

// The body of a 2xx answer. The browser's cache revalidates with If-None-Match where the server sent an ETag.
export async function askText(path: string, init?: RequestInit): Promise<string> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {cache: 'no-cache', credentials: 'same-origin', ...init});
    text = await response.text();
  } catch (error) {
    if (init?.signal?.aborted) throw error;
    throw new ApiError(0, 'culprit does not answer. Is it running?');
  }
  if (!response.ok) throw errorOf(response.status, text);
  return text;
}

export function parse<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ApiError(0, 'the answer is not JSON; is something else answering on this address?');
  }
}

export async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  return parse<T>(await askText(path, init));
}

export async function send<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T> {
  return ask<T>(path, {
    method,
    headers: {'Content-Type': 'application/json'},
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

// Answers the issue that is left.
export async function mergeIssues(id: string, issues: string[]): Promise<IssueDetail> {
  return send<IssueDetail>('POST', paths.issue(id) + '/merge', {issues});
}

// Answers the new issue.
export async function splitHashes(id: string, hashes: string[]): Promise<IssueDetail> {
  return send<IssueDetail>('POST', paths.issue(id) + '/unmerge', {hashes});
}

export async function setIssueStatus(id: string, status: IssueStatus): Promise<IssueDetail> {
  return send<IssueDetail>('PATCH', paths.issue(id), {status});
}
