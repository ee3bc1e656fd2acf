# SPDX-License-Identifier: Apache-2.0
"""A FastAPI application with Sentry's SDK. SENTRY_DSN is all it is told of where to send."""
import logging

import sentry_sdk
from fastapi import FastAPI
from sentry_sdk.integrations.django import DjangoIntegration

sentry_sdk.init(traces_sample_rate=1.0, release="shop@1.4.2", environment="staging", enable_logs=True,
                send_default_pii=False, disabled_integrations=[DjangoIntegration()])  # it is installed, that is all
log = logging.getLogger("shop")
app = FastAPI()


@app.get("/alive")
def alive():
    return {}


def price_of(item):
    prices = {"apple": 3}
    return prices[item]


@app.get("/price/{item}")
def price(item: str):
    sentry_sdk.add_breadcrumb(category="shop", message=f"looking up {item}", level="info")
    basket = ["apple", item]
    try:
        return {"price": price_of(item)}
    except KeyError as error:
        raise ValueError(f"no price for {item} among {len(basket)}") from error


@app.get("/basket/{count}")
def basket(count: int):
    with sentry_sdk.start_span(op="shop.count", name="count the basket") as span:
        span.set_data("count", count)
        span.set_data("api_key", "hunter2canary")
    return {"count": count}


def check(user, password, card):
    visit = {"user": user, "token": password, "visits": 3}
    raise PermissionError(f"{len(visit)} things of {user}")


@app.get("/login/{user}")
def login(user: str):
    check(user, "hunter" + "2canary", "4111" * 4)


@app.get("/message/{text}")
def message(text: str):
    return {"id": sentry_sdk.capture_message(f"message {text}", level="warning")}


@app.get("/log/{text}")
def write_log(text: str):
    log.error("shelf %s is empty", text)
    return {}


@app.get("/attachment/{text}")
def attachment(text: str):
    with sentry_sdk.new_scope() as scope:
        scope.add_attachment(bytes=b"a" * 2000, filename="shelf.txt")
        scope.set_extra("shelf", {"rows": [1, 2]})
        try:
            raise RuntimeError(f"attached {text}")
        except RuntimeError as error:
            event_id = sentry_sdk.capture_exception(error)
    return {"id": event_id}
