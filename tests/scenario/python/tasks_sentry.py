# SPDX-License-Identifier: Apache-2.0
"""The shop's tasks with Sentry's SDK: `celery -A tasks_sentry worker` runs them, `tasks_sentry.py CART` orders two."""
import sys

import sentry_sdk

sentry_sdk.init(traces_sample_rate=1.0, release="tasks@4", environment="staging")

from shop_tasks import app, charge, send_receipt  # noqa: E402, F401, behind the SDK

if __name__ == "__main__":
    with sentry_sdk.start_transaction(op="shop.night", name="nightly orders"):
        send_receipt.delay(sys.argv[1])
        charge.delay(sys.argv[1])
    sentry_sdk.flush()
