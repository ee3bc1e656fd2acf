// SPDX-License-Identifier: Apache-2.0
// usage: node same_error.js sentry|otel ITEM   A program that fails, reported by the one SDK or by the other.
const { total } = require("./orders");

const reporters = {
  sentry: () => {
    const sentry = require("@sentry/node");
    sentry.init({});
    return async (error) => {
      sentry.captureException(error);
      await sentry.flush();
    };
  },
  otel: () => {
    const { trace } = require("@opentelemetry/api");
    const { NodeSDK } = require("@opentelemetry/sdk-node");
    const sdk = new NodeSDK();
    sdk.start();
    const span = trace.getTracer("same_error").startSpan("checkout");
    return async (error) => {
      span.recordException(error);
      span.end();
      await sdk.shutdown();
    };
  },
};

async function checkout(item) {
  await Promise.resolve();
  return total(["tea", item]);
}

async function main(sdk, item) {
  const report = reporters[sdk]();
  try {
    await checkout(item);
  } catch (error) {
    await report(error);
  }
}

main(process.argv[2], process.argv[3]);
