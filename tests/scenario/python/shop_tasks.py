# SPDX-License-Identifier: Apache-2.0
"""The Celery half of the shop: a worker process of its own, behind a broker of plain files."""
import logging
import os

from celery import Celery
from celery.signals import worker_ready

import shop_broker  # noqa: F401, names the transport

logger = logging.getLogger("shop.tasks")
logger.setLevel(logging.INFO)
folder = os.environ["SHOP_BROKER"]

app = Celery("shop_tasks", broker="wholefiles://")
app.conf.update(
    broker_transport_options={"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder,
                              "polling_interval": 0.02},
    broker_connection_retry_on_startup=False,
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
)


@worker_ready.connect
def say_so(**_):
    print("worker ready", flush=True)


@app.task
def send_receipt(cart):
    logger.info("receipt for cart %s", cart)


@app.task
def charge(cart):
    raise PermissionError(f"card of cart {cart} declined")
