// SPDX-License-Identifier: Apache-2.0
//
// What somebody sees who has just started culprit: how to send to it, with addresses that work.
import assert from 'node:assert/strict';
import {assertAccessible} from './checks.mjs';
import {event, sendEvent} from './envelope.mjs';
import {http, open, ui} from './page.mjs';

const opened = open();
const {step, copied} = opened;
let dsn;

step('an empty inbox says where culprit listens', async (page, t) => {
  const {issues} = await (await fetch(ui + '/api/v1/issues?status=all')).json();
  if (issues.length > 0) {
    opened.failed = true; // the steps after it have nothing to look at
    return t.skip('the inbox is not empty');
  }
  await page.goto(ui + '/');
  await page.locator('.first-steps').waitFor();
  await page.getByText(`OTEL_EXPORTER_OTLP_ENDPOINT=${http}`).first().waitFor();
  const {listening} = await (await fetch(ui + '/api/v1/status')).json();
  await page.getByText(`OTEL_EXPORTER_OTLP_ENDPOINT=${listening.grpc}`).waitFor();
  await page.getByText(`culprit demo --endpoint ${http}`).waitFor();
  await assertAccessible(page, 'empty inbox');
});

step('its commands are copied as they work', async page => {
  await page.getByRole('button', {name: 'Copy variables for OpenTelemetry over HTTP'}).click();
  assert.equal(
    await copied(),
    `export OTEL_EXPORTER_OTLP_ENDPOINT=${http}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`,
  );
  await page.getByRole('button', {name: 'Copy SENTRY_DSN'}).click();
  dsn = (await copied()).replace(/^export SENTRY_DSN=/, '');
  assert.match(dsn, /^http:\/\/[0-9a-f]{32}@127\.0\.0\.1:\d+\/1$/);
});

step('an error sent to that DSN takes the place of the words', async page => {
  await sendEvent(dsn, event({type: 'FirstError', message: 'the first one'}));
  await page.locator('tr.issue', {hasText: 'FirstError'}).waitFor();
  assert.equal(await page.locator('.first-steps').count(), 0);
});

step('the browser had nothing to complain about', async () => opened.watched.assertQuiet());
