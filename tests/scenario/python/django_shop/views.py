# SPDX-License-Identifier: Apache-2.0
import logging

import sentry_sdk
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

logger = logging.getLogger("django_shop.orders")


class CardDeclined(Exception):
    pass


def alive(request):
    return HttpResponse("yes")


def charge(order, card, api_key):
    attempts = [{"amount": 12.5, "currency": "EUR"}]
    raise CardDeclined(f"order {order}: {len(attempts)} attempt")


@csrf_exempt
def pay(request, order):
    secret = request.GET["token"]
    sentry_sdk.set_user({"id": "7", "username": "jane", "email": "jane@shop.example"})
    sentry_sdk.set_tag("tenant", "north")
    sentry_sdk.set_context("cart", {"items": 2, "password": secret})
    sentry_sdk.add_breadcrumb(category="card", message="asking the bank", level="info",
                              data={"token": secret, "order": order})
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE name = %s", ["orders"])
    charge(order, "4111" * 4, api_key=secret)


def show(request, order):
    logger.info("order %s is shown", order)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s + 1", [order])
        (following,) = cursor.fetchone()
    with sentry_sdk.start_span(op="shop.render", name="render the order") as span:
        span.set_data("order", order)
    return JsonResponse({"following": following})


def stock(request, item):
    try:
        {}[item]
    except KeyError:
        logger.exception("stock of %s is unknown", item, extra={"shelf": "B4"})
    return HttpResponse("none")


def note(request, text):
    return JsonResponse({"id": sentry_sdk.capture_message(f"note {text}", level="info")})
