// SPDX-License-Identifier: Apache-2.0
//
// What an empty inbox says: how to send the first error, or that all is well.
import type {Status} from '../api';
import {exact} from '../format';
import {Copy} from '../parts/copy';

function received(status: Status | null): number {
  return Object.values(status?.received ?? {}).reduce((sum, kind) => sum + kind.items, 0);
}

function Command({text}: {text: string}) {
  return (
    <div class="command">
      <pre>{text}</pre>
      <Copy text={text} what="commands" />
    </div>
  );
}

function variables(endpoint: string, protocol: string): string {
  return `export OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=${protocol}`;
}

export function FirstSteps({status}: {status: Status | null}) {
  const host = location.hostname || '127.0.0.1';
  const items = received(status);
  return (
    <div class="empty first-steps">
      <h2>No errors yet</h2>
      <p>
        {items > 0
          ? `culprit has received ${exact(items)} spans and logs, and no exception among them. `
          : 'Nothing has been sent to culprit so far. Point an application at it. '}
        The first error will be here within a second.
      </p>
      <h3>Any application with an OpenTelemetry SDK</h3>
      <p>Set two environment variables and start it:</p>
      <Command text={variables(`http://${host}:4318`, 'http/protobuf')} />
      <p class="dim">
        For gRPC: <code>http://{host}:4317</code> and <code>grpc</code>. A name for the application:{' '}
        <code>OTEL_SERVICE_NAME</code>. These are the default ports; others are in <code>listening.json</code>
        {status ? (
          <>
            {' '}
            in <code>{status.data_dir}</code>
          </>
        ) : null}
        .
      </p>
      <h3>Or try it with made-up traffic</h3>
      <Command text="culprit demo" />
      <p class="dim">Sends a minute of requests through several services, with exceptions in them.</p>
    </div>
  );
}

export function AllClear({status}: {status: Status | null}) {
  const items = received(status);
  return (
    <div class="empty">
      <h2>No unresolved errors</h2>
      <p>
        All clear{items > 0 ? `, with ${exact(items)} spans and logs received since the start` : ''}. A new one will
        appear here by itself.
      </p>
    </div>
  );
}
