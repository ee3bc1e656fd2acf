# SPDX-License-Identifier: Apache-2.0
# Prints the traceback of one case (argv[1]) as an instrumentation would record it.
import asyncio
import json
import sys
import traceback


class PaymentError(Exception):
    pass


class Cart:
    def total(self, items):
        return sum(item["price"] * item["count"] for item in items)


def simple():
    Cart().total([{"price": 5}])


def multiline():
    raise PaymentError("first line\n  second: line\n\nFile \"x\", line 3, in nothing\nlast")


def cause():
    try:
        json.loads("{broken")
    except ValueError as error:
        raise PaymentError("cannot read the cart") from error


def context():
    try:
        {}["sku"]
    except KeyError:
        try:
            int("x")
        except ValueError:
            Cart().missing()


def recursion(depth=0):
    if depth == 40:
        raise RecursionError("too deep")
    return recursion(depth + 1)


def syntax():
    compile("def broken(:\n  pass\n", "/srv/shop/plugin.py", "exec")


def from_string():
    exec("def inner():\n  raise PaymentError('from a string')\ninner()", {"PaymentError": PaymentError})


def no_message():
    raise AssertionError


def noted():
    error = PaymentError("with notes")
    error.add_note("note one\nnote two")
    raise error


async def fetch(name):
    await asyncio.sleep(0)
    raise ConnectionError(f"{name} refused")


async def gather():
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fetch("stock"))
        tasks.create_task(fetch("price"))


def group():
    asyncio.run(gather())


def nested_group():
    def fail(kind, text):
        try:
            raise kind(text)
        except kind as error:
            return error

    inner = fail(lambda text: None and text, "") if False else ExceptionGroup("inner", [fail(KeyError, "k")])
    try:
        try:
            raise OSError("disk")
        except OSError as error:
            raise ExceptionGroup("outer", [fail(ValueError, "one\ntwo"), inner]) from error
    except ExceptionGroup:
        raise


if __name__ == "__main__":
    try:
        globals()[sys.argv[1]]()
    except BaseException:
        sys.stdout.write(traceback.format_exc())
