// SPDX-License-Identifier: Apache-2.0
// An Express application that calls itself, logs, and fails: /order asks /stock over HTTP and passes the request id on;
// /broken throws, /rejected rejects, /logged only logs its error.
const http = require("node:http");
const express = require("express");
const { logs, SeverityNumber } = require("@opentelemetry/api-logs");

const logger = logs.getLogger("shop");
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
  logger.emit({ severityNumber: SeverityNumber.INFO, severityText: "INFO", body: { message: "stock read", left: 7 } });
  response.json({ left: 7 });
});

app.get("/order", async (request, response) => {
  response.send(await ask("/stock", request.get("x-request-id")));
});

function priceOf(item) {
  const prices = {};
  return prices[item].amount;
}

app.get("/broken", () => {
  priceOf("tea");
});

async function pay() {
  throw new RangeError("card limit reached");
}

app.get("/rejected", async () => {
  await pay();
});

app.get("/logged", (request, response) => {
  logger.emit({ severityNumber: SeverityNumber.ERROR, severityText: "ERROR", body: "disk of node 17 is full" });
  response.send("logged");
});

// The fourth parameter makes it an error handler.
app.use((error, request, response, next) => {
  response.status(500).send("failed");
});

const server = app.listen(0, "127.0.0.1", () => {
  port = server.address().port;
  console.log(`listening ${port}`);
});
