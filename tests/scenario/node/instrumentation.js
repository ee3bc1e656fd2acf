// SPDX-License-Identifier: Apache-2.0
// What OpenTelemetry's own start page for Node says: the SDK, before the application, configured by OTEL_… variables.
const { NodeSDK } = require("@opentelemetry/sdk-node");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { ExpressInstrumentation } = require("@opentelemetry/instrumentation-express");

const captured = { requestHeaders: ["x-request-id"] };
const http = new HttpInstrumentation({ headersToSpanAttributes: { server: captured, client: captured } });
new NodeSDK({ instrumentations: [http, new ExpressInstrumentation()] }).start();
