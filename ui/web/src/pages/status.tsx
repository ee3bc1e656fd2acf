// SPDX-License-Identifier: Apache-2.0
//
// How culprit itself is: what came in, what became of it, what waits, and how much room is left.
import type {ComponentChildren} from 'preact';
import {useLayoutEffect} from 'preact/hooks';
import {paths, type ClientReport, type Status} from '../api';
import {bytes, duration, exact, percent} from '../format';
import {usePolled} from '../hooks';
import {restoreScroll} from '../navigation';
import {Id} from '../parts/copy';
import {Failure, Loading, Stale} from '../parts/notice';
import {Text} from '../parts/text';
import {Ago} from '../parts/time';

const pollMs = 2000;
const nearlyFull = 0.85;

function Panel({title, children}: {title: string; children: ComponentChildren}) {
  return (
    <section class="panel">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Fact({name, children, bad = false}: {name: string; children: ComponentChildren; bad?: boolean}) {
  return (
    <div class={bad ? 'bad' : ''}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Gauge({name, used, most}: {name: string; used: number; most: number}) {
  const share = most > 0 ? Math.min(1, used / most) : 0;
  const label = `${bytes(used)} of ${bytes(most)}, ${percent(used, most)}`;
  return (
    <div class={'gauge' + (share > nearlyFull ? ' full' : '')}>
      <dt>{name}</dt>
      <dd>
        <svg viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label={label}>
          <rect class="room" width="100" height="4" />
          <rect class="used" width={(share * 100).toFixed(2)} height="4" />
        </svg>
        <span>
          {bytes(used)} <span class="dim">of {bytes(most)}</span>
        </span>
      </dd>
    </div>
  );
}

function Received({status}: {status: Status}) {
  const known = ['traces', 'logs', 'metrics', 'events'];
  const kinds = Object.entries(status.received).sort(([a], [b]) => known.indexOf(a) - known.indexOf(b));
  const items: Record<string, string> = {
    traces: 'Spans',
    logs: 'Log records',
    metrics: 'Metric points',
    events: 'Error events',
  };
  return (
    <Panel title="Received">
      <div class="scroll-x">
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">
                <span class="offscreen">Kind</span>
              </th>
              <th scope="col">Items</th>
              <th scope="col">Requests</th>
              <th scope="col" class="size">
                Size
              </th>
              <th scope="col">Refused</th>
              <th scope="col">Rejected</th>
            </tr>
          </thead>
          <tbody>
            {kinds.map(([kind, of]) => (
              <tr key={kind}>
                <th scope="row">{items[kind] ?? <Text text={kind} />}</th>
                <td>{exact(of.items)}</td>
                <td>{exact(of.requests)}</td>
                <td class="size">{of.bytes > 0 || of.items === 0 ? bytes(of.bytes) : '—'}</td>
                <td class={of.refused > 0 ? 'bad' : ''}>{exact(of.refused)}</td>
                <td class={of.rejected > 0 ? 'bad' : ''}>{exact(of.rejected)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="dim">
        Refused: whole requests answered with an error. Rejected: items of accepted requests that were malformed.
        Requests of error events: all of Sentry SDKs, whatever was in them.
      </p>
    </Panel>
  );
}

// What the SDKs' envelopes held, stored or only counted.
function SentryItems({status}: {status: Status}) {
  const types = Object.entries(status.items).sort(([, a], [, b]) => b - a);
  if (types.length === 0) return null;
  return (
    <Panel title="From Sentry SDKs">
      <dl class="facts-list">
        {types.map(([type, count]) => (
          <Fact key={type} name={type.replaceAll('_', ' ')}>
            {exact(count)}
          </Fact>
        ))}
      </dl>
    </Panel>
  );
}

function Sampling({status}: {status: Status}) {
  const sampling = status.sampling;
  const all = sampling.kept + sampling.dropped;
  return (
    <Panel title="Sampling">
      <dl class="facts-list">
        <Fact name="Items kept">
          {exact(sampling.kept)} <span class="dim">{percent(sampling.kept, all)}</span>
        </Fact>
        <Fact name="Items dropped">
          {exact(sampling.dropped)} <span class="dim">{percent(sampling.dropped, all)}</span>
        </Fact>
        <Fact name="Late items">{exact(sampling.late)}</Fact>
        <Fact name="Traces waiting">
          {exact(sampling.waiting_traces)} <span class="dim">for {duration(sampling.decision_wait_s * 1000)}</span>
        </Fact>
      </dl>
      {sampling.policies.length > 0 ? (
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">Kept by policy</th>
              <th scope="col">Traces</th>
            </tr>
          </thead>
          <tbody>
            {sampling.policies.map((policy, index) => (
              <tr key={index}>
                <th scope="row">
                  <Text text={policy.policy} />
                </th>
                <td>{exact(policy.kept)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p class="dim">No policy: everything is dropped.</p>
      )}
    </Panel>
  );
}

const states: Record<string, string> = {
  off: 'off: no endpoint is set',
  idle: 'idle, everything is sent',
  sending: 'sending',
  retrying: 'retrying',
  paused: 'paused',
};

function Exporters({status}: {status: Status}) {
  return (
    <Panel title="Exporters">
      {status.exporters.length === 0 ? (
        <p class="dim">
          None. Set <code>exporters.otlp.endpoint</code> to forward what is kept to Jaeger.
        </p>
      ) : null}
      {status.exporters.map(exporter => {
        const stuck = exporter.state === 'retrying' || exporter.state === 'paused';
        return (
          <div key={exporter.name} class="exporter">
            <p>
              <strong>
                <Text text={exporter.name} />
              </strong>{' '}
              <span class={'badge' + (stuck ? ' level-warning' : '')}>
                <Text text={states[exporter.state] ?? exporter.state} />
              </span>{' '}
              <code>
                <Text text={exporter.endpoint} />
              </code>
            </p>
            <dl class="facts-list">
              <Fact name="Sent">{exact(exporter.sent)}</Fact>
              <Fact name="Retried">{exact(exporter.retried)}</Fact>
              <Fact name="Dead letters" bad={exporter.dead > 0}>
                {exact(exporter.dead)}
              </Fact>
              <Fact name="Waiting" bad={exporter.queue_age_s > 60}>
                {exact(exporter.queue_records)}{' '}
                {exporter.queue_records > 0 ? (
                  <span class="dim">for {duration(exporter.queue_age_s * 1000)}</span>
                ) : null}
              </Fact>
            </dl>
            {exporter.last_error ? (
              <p class="bad">
                Last error: <Text text={exporter.last_error} />
              </p>
            ) : null}
          </div>
        );
      })}
    </Panel>
  );
}

function Listening({status}: {status: Status}) {
  const names = {http: 'OTLP/HTTP and Sentry SDKs', grpc: 'OTLP/gRPC', ui: 'This page and the API'} as const;
  return (
    <Panel title="Listening">
      <dl class="pairs">
        {(Object.keys(names) as (keyof typeof names)[]).map(door => (
          <Fact key={door} name={names[door]}>
            {status.listening[door] ? <Id id={status.listening[door]!} what="address" /> : '—'}
          </Fact>
        ))}
      </dl>
    </Panel>
  );
}

const reportsShown = 20;

// SDKs count attachments by their bytes.
function quantity(report: ClientReport, count: number): string {
  return report.category === 'attachment' ? bytes(count) : exact(count);
}

// What SDKs say they threw away before it was sent: it is missing in the inbox.
function ClientReports({status}: {status: Status}) {
  const reports = status.client_reports ?? [];
  return (
    <Panel title="Dropped by SDKs">
      {status.client_reports === null ? (
        <p class="dim">The inbox cannot be read.</p>
      ) : reports.length === 0 ? (
        <p class="dim">No SDK has said in the last 7 days that it threw something away.</p>
      ) : (
        <>
          <div class="scroll-x">
            <table class="numbers">
              <thead>
                <tr>
                  <th scope="col">Project</th>
                  <th scope="col">Reason</th>
                  <th scope="col">What</th>
                  <th scope="col">24 h</th>
                  <th scope="col">7 days</th>
                </tr>
              </thead>
              <tbody>
                {reports.slice(0, reportsShown).map((report, index) => (
                  <tr key={index}>
                    <th scope="row">
                      <Text text={report.project} />
                    </th>
                    <td>
                      <Text text={report.reason} />
                    </td>
                    <td>
                      <Text text={report.category} />
                    </td>
                    <td>{quantity(report, report.quantity_24h)}</td>
                    <td>{quantity(report, report.quantity)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <p class="dim">
            What the SDKs told of items that they threw away before sending, by their reason, the most first
            {reports.length > reportsShown ? `; ${reports.length - reportsShown} more` : ''}.
          </p>
        </>
      )}
    </Panel>
  );
}

function Journals({status}: {status: Status}) {
  return (
    <Panel title="Disk">
      <dl class="gauges">
        {Object.entries(status.journal).map(([name, journal]) => (
          <Gauge key={name} name={`Journal: ${name}`} used={journal.bytes} most={journal.max_bytes} />
        ))}
        <Gauge name="Inbox (SQLite)" used={status.store.bytes} most={status.store.max_bytes} />
        <Gauge
          name="File system"
          used={status.disk.total_bytes - status.disk.free_bytes}
          most={status.disk.total_bytes}
        />
      </dl>
      <table class="numbers">
        <thead>
          <tr>
            <th scope="col">Journal</th>
            <th scope="col">Records</th>
            <th scope="col">Behind</th>
            <th scope="col">Quarantined</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(status.journal).map(([name, journal]) => (
            <tr key={name}>
              <th scope="row">
                <Text text={name} />
              </th>
              <td>{exact(journal.records)}</td>
              <td>{exact(journal.lag_records)}</td>
              <td class={journal.quarantined > 0 ? 'bad' : ''}>{exact(journal.quarantined)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="dim">
        Data directory{' '}
        <code>
          <Text text={status.data_dir} />
        </code>
        . An answer waits for the disk {duration(status.commit_latency_ms.p50)} (p50),{' '}
        {duration(status.commit_latency_ms.p99)} (p99).
      </p>
    </Panel>
  );
}

export function StatusPage() {
  const {data: status, error, loading, refresh} = usePolled<Status>(paths.status, pollMs);
  document.title = (status && !status.ready ? '(!) ' : '') + 'Status · culprit';
  const ready = status !== null;
  useLayoutEffect(() => {
    if (ready) restoreScroll();
  }, [ready]);
  if (!status) {
    return loading ? (
      <Loading what="the status" />
    ) : (
      <Failure error={error!} title="The status could not be loaded">
        <button type="button" onClick={refresh}>
          Try again
        </button>
      </Failure>
    );
  }
  return (
    <article class="status-page">
      <Stale error={error} />
      <header>
        <h1>
          {status.ready ? (
            <span class="badge verdict-keep">ready</span>
          ) : (
            <span class="badge level-error">not ready</span>
          )}{' '}
          culprit <Text text={status.version} />
        </h1>
        <p class="dim">
          Started <Ago time={status.started} />, up for {duration(status.uptime_s * 1000)}. Counters are since the
          start.{' '}
          <a href="/metrics" target="_blank" rel="noopener">
            /metrics
          </a>{' '}
          has all of them.
        </p>
        {status.reasons.length > 0 ? (
          <ul class="stale" role="alert">
            {status.reasons.map((reason, index) => (
              <li key={index}>
                <Text text={reason} />
              </li>
            ))}
          </ul>
        ) : null}
      </header>
      <div class="panels">
        <Received status={status} />
        <SentryItems status={status} />
        <Listening status={status} />
        <Sampling status={status} />
        <Panel title="Inbox">
          <dl class="facts-list">
            <Fact name="Errors taken out">{exact(status.inbox.events)}</Fact>
            <Fact name="Seen twice">{exact(status.inbox.duplicates)}</Fact>
            <Fact name="New issues">{exact(status.inbox.issues)}</Fact>
            <Fact name="Records behind" bad={status.inbox.lag_records > 1000}>
              {exact(status.inbox.lag_records)}
            </Fact>
            <Fact name="Issues stored">{exact(status.store.issues)}</Fact>
            <Fact name="Events stored">{exact(status.store.events)}</Fact>
          </dl>
        </Panel>
        <Exporters status={status} />
        <ClientReports status={status} />
        <Journals status={status} />
        <Panel title="Memory">
          <dl class="gauges">
            <Gauge name="In flight" used={status.memory.in_flight_bytes} most={status.memory.max_bytes} />
          </dl>
          <dl class="facts-list">
            <Fact name="Resident">{bytes(status.memory.resident_bytes)}</Fact>
          </dl>
        </Panel>
        <Panel title="Versions">
          <dl class="facts-list">
            <Fact name="culprit">
              <Text text={status.version} />
            </Fact>
            {Object.entries(status.libraries).map(([name, version]) => (
              <Fact key={name} name={name}>
                <Text text={version} />
              </Fact>
            ))}
          </dl>
        </Panel>
      </div>
    </article>
  );
}
