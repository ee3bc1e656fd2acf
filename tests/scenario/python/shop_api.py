# SPDX-License-Identifier: Apache-2.0
"""The web half of the shop: a FastAPI application without a line about telemetry in it."""
import logging

from fastapi import FastAPI

import shop_tasks

logger = logging.getLogger("shop.api")
logger.setLevel(logging.INFO)
app = FastAPI()
prices = {"tea": 3}


@app.get("/alive")
def alive():
    return "yes"


@app.get("/cart/{cart}")
def cart(cart: str):
    logger.info("cart %s opened", cart)
    shop_tasks.send_receipt.delay(cart)
    return {"cart": cart}


def price_of(item):
    try:
        return prices[item]
    except KeyError as error:
        raise ValueError(f"no price for {item}") from error


@app.get("/price/{item}")
def price(item: str):
    try:
        return price_of(item)
    except ValueError:
        logger.exception("pricing failed")
        raise


@app.get("/charge/{cart}")
def charge(cart: str):
    shop_tasks.charge.delay(cart)
    return "charging"
