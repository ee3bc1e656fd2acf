# SPDX-License-Identifier: Apache-2.0
"""A FastAPI application that has Sentry's SDK and runs under OpenTelemetry's auto-instrumentation. SHOP_MODE:
apart   neither knows of the other;
linked  Sentry's events take their trace from OpenTelemetry's span, which sends its spans itself;
dsn     and the spans go where the DSN says."""
import logging
import os

import sentry_sdk
from fastapi import FastAPI
from opentelemetry import trace
from sentry_sdk.integrations.otlp import OTLPIntegration

from orders import cart

mode = os.environ["SHOP_MODE"]
options = {"apart": {"traces_sample_rate": 1.0},
           "linked": {"integrations": [OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False)]},
           "dsn": {"integrations": [OTLPIntegration()]}}[mode]
sentry_sdk.init(release="both@3", environment="staging", **options)
logger = logging.getLogger("shop.both")
tracer = trace.get_tracer("shop.both")
app = FastAPI()


@app.get("/alive")
def alive():
    return "yes"


@app.get("/cart/{item}")
def price(item: str):
    with tracer.start_as_current_span("price the cart") as span:
        span.set_attribute("shop.item", item)
        return {"total": cart.total(["tea", item])}


@app.get("/handled/{item}")
def handled(item: str):
    try:
        cart.total(["tea", item])
    except cart.UnknownItem as error:
        trace.get_current_span().record_exception(error)
        return {"id": sentry_sdk.capture_exception(error)}


@app.get("/log/{text}")
def write_log(text: str):
    logger.error("no shelf for %s", text)
    return {}
