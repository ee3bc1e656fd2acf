// SPDX-License-Identifier: Apache-2.0
//
// A page of somebody's shop with Sentry's SDK for browsers. The address says where the SDK sends to (dsn), and whether
// it does so with a header of its own (auth), which a browser asks the server about first.
import * as Sentry from '@sentry/browser';

const settings = new URLSearchParams(location.search);
const dsn = settings.get('dsn');
const headers = settings.has('auth')
  ? {'X-Sentry-Auth': `Sentry sentry_version=7, sentry_client=shop/1, sentry_key=${new URL(dsn).username}`}
  : {};

Sentry.init({
  dsn,
  release: 'shop-web@1.0.0',
  environment: 'staging',
  enableLogs: true,
  tracesSampleRate: 1,
  tracePropagationTargets: [location.origin],
  integrations: [Sentry.browserTracingIntegration({idleTimeout: 200, finalTimeout: 2000})],
  transportOptions: {headers},
});
Sentry.setUser({id: '7', username: 'jane'});
Sentry.setTag('tenant', 'north');

function priceOf(item) {
  const prices = {};
  return prices[item].amount;
}

function checkout() {
  Sentry.addBreadcrumb({
    category: 'cart',
    message: 'checking out',
    level: 'info',
    data: {items: 2, password: 'hunter2canary'},
  });
  console.warn('the cart is odd');
  return priceOf('cake');
}

async function pay() {
  await Promise.resolve();
  throw new RangeError('card limit reached');
}

async function ask() {
  await Sentry.startSpan({name: 'look at the stock', op: 'shop.stock', forceTransaction: true}, async span => {
    span.setAttribute('shelf', 'B4');
    const response = await fetch('/api/stock');
    document.querySelector('output').textContent = `${(await response.json()).left} left`;
  });
}

const actions = {
  checkout,
  pay,
  ask,
  note: () => Sentry.captureMessage('the shop is open', 'info'),
  log: () => Sentry.logger.warn(Sentry.logger.fmt`shelf ${'B4'} is empty`, {left: 0}),
};
for (const [name, run] of Object.entries(actions)) {
  const button = document.createElement('button');
  button.id = name;
  button.textContent = name;
  button.addEventListener('click', () => void run());
  document.body.append(button);
}
