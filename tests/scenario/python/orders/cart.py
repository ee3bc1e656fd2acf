# SPDX-License-Identifier: Apache-2.0
"""A cart that cannot be priced: a KeyError, from it a LookupError of our own in another function."""
PRICES = {"tea": 3}


class UnknownItem(LookupError):
    pass


def price_of(item):
    try:
        return PRICES[item]
    except KeyError as error:
        raise UnknownItem(f"nothing is known of {item}") from error


def total(items):
    return sum(price_of(item) for item in items)
