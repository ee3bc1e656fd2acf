// SPDX-License-Identifier: Apache-2.0
//
// What an empty inbox says: how to send the first error, or that all is well.
import {reachable} from '../addresses';
import {paths, type ProjectList, type Status} from '../api';
import {exact} from '../format';
import {usePolled} from '../hooks';
import {Copy} from '../parts/copy';
import {Lines} from '../parts/text';

const defaultHttpPort = /:4318$/;

function received(status: Status | null): number {
  return Object.values(status?.received ?? {}).reduce((sum, kind) => sum + kind.items, 0);
}

function Command({text, what}: {text: string; what: string}) {
  return (
    <div class="command">
      <pre>
        <Lines text={text} />
      </pre>
      <Copy text={text} what={what} />
    </div>
  );
}

function OpenTelemetry({http, grpc}: {http: string; grpc: string | null}) {
  return (
    <section>
      <h3>An application with an OpenTelemetry SDK</h3>
      <p>Set two environment variables and start it:</p>
      <Command
        text={`export OTEL_EXPORTER_OTLP_ENDPOINT=${http}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`}
        what="variables for OpenTelemetry over HTTP"
      />
      {grpc ? (
        <>
          <p>Or, over gRPC:</p>
          <Command
            text={`export OTEL_EXPORTER_OTLP_ENDPOINT=${grpc}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=grpc`}
            what="variables for OpenTelemetry over gRPC"
          />
        </>
      ) : null}
      <p class="dim">
        <code>OTEL_SERVICE_NAME</code> gives the application its name.
      </p>
    </section>
  );
}

export function FirstSteps({status}: {status: Status | null}) {
  const {data: known} = usePolled<ProjectList>(paths.projects, 0);
  const host = location.hostname || '127.0.0.1';
  const at = (address: string | null | undefined): string | null => (address ? reachable(address, host) : null);
  const http = at(status?.listening?.http);
  const dsn = at(known?.projects.find(project => project.dsn)?.dsn);
  const items = received(status);
  return (
    <div class="empty first-steps">
      <h2>No errors yet</h2>
      <p>
        {items > 0
          ? `culprit has received ${exact(items)} spans and logs, and no exception among them. `
          : 'Nothing has been sent to culprit so far. Point an application at it. '}
        The first error will be here within a second of its arrival.
      </p>
      {http ? <OpenTelemetry http={http} grpc={at(status?.listening?.grpc)} /> : null}
      {dsn ? (
        <section>
          <h3>An application with a Sentry SDK</h3>
          <p>Its DSN is all that changes:</p>
          <Command text={`export SENTRY_DSN=${dsn}`} what="SENTRY_DSN" />
        </section>
      ) : null}
      {http ? (
        <section>
          <h3>Or made-up traffic</h3>
          <Command
            text={'culprit demo' + (defaultHttpPort.test(http) ? '' : ` --endpoint ${http}`)}
            what="command for made-up traffic"
          />
          <p class="dim">Sends a minute of requests through several services, with exceptions in them.</p>
        </section>
      ) : null}
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
