// SPDX-License-Identifier: Apache-2.0
// What Sentry's own start page for Node says: the SDK, before the application. SENTRY_DSN says where to.
const sentry = require("@sentry/node");

sentry.init({ tracesSampleRate: 1, release: "shop-node@5.0.0", environment: "staging", enableLogs: true, sendDefaultPii: true });
