// SPDX-License-Identifier: Apache-2.0
// An Express application with Sentry's SDK: /order asks /stock over HTTP, /broken throws, /forgotten leaves a rejection
// that nobody handles, /message and /logged write.
const http = require("node:http");
const sentry = require("@sentry/node");
const express = require("express");
const { total } = require("./orders");

const app = express();
let port;

function ask(path, requestId) {
  return new Promise((resolve, reject) => {
    http
      .get({ host: "127.0.0.1", port, path, headers: { "x-request-id": requestId } }, (response) => {
        let text = "";
        response.on("data", (piece) => (text += piece));
        response.on("end", () => resolve(text));
      })
      .on("error", reject);
  });
}

app.get("/stock", (request, response) => {
  response.json({ left: 7 });
});

app.get("/order/:order", async (request, response) => {
  const found = await ask("/stock", request.get("x-request-id"));
  const priced = sentry.startSpan({ name: "price the order", op: "shop.price", attributes: { order: 18 } }, () => total(["tea"]));
  response.json({ ...JSON.parse(found), priced });
});

app.get("/broken/:item", (request, response) => {
  sentry.setUser({ id: "7", username: "jane" });
  sentry.setTag("tenant", "north");
  sentry.setContext("cart", { items: 2, api_key: request.get("x-api-key") });
  sentry.addBreadcrumb({ category: "shop", message: "pricing", level: "info", data: { token: request.get("x-api-key") } });
  console.warn("about to price %s", request.params.item);
  response.json({ total: total(["tea", request.params.item]) });
});

async function send(letter) {
  await Promise.resolve();
  throw new RangeError(`nobody waits for ${letter}`);
}

app.get("/forgotten/:letter", (request, response) => {
  send(request.params.letter);
  response.send("sent");
});

app.get("/caused/:item", (request, response) => {
  try {
    total([request.params.item]);
  } catch (cause) {
    response.json({ id: sentry.captureException(new Error("the order was refused", { cause })) });
  }
});

app.get("/message/:text", (request, response) => {
  response.json({ id: sentry.captureMessage(`message ${request.params.text}`, "warning") });
});

app.get("/logged/:text", (request, response) => {
  sentry.logger.error(sentry.logger.fmt`disk ${request.params.text} is full`, { free: 0, password: "hunter2canary" });
  response.send("logged");
});

sentry.setupExpressErrorHandler(app);
// The fourth parameter makes it an error handler.
app.use((error, request, response, next) => {
  response.status(500).send("failed");
});

const server = app.listen(0, "127.0.0.1", () => {
  port = server.address().port;
  console.log(`listening ${port}`);
});
