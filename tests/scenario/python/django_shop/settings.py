# SPDX-License-Identifier: Apache-2.0
"""A Django project with Sentry's SDK. SENTRY_DSN is all it is told of where to send. The SDK's own scrubber is off, so
that what must not be stored reaches culprit."""
import os

import sentry_sdk
from sentry_sdk.scrubber import EventScrubber

sentry_sdk.init(traces_sample_rate=1.0, release="django-shop@2.0.1", environment="staging", send_default_pii=True,
                enable_logs=True, event_scrubber=EventScrubber(denylist=[], pii_denylist=[]), max_request_body_size="always")

SECRET_KEY = "for tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "django_shop.urls"
INSTALLED_APPS = []
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SHOP_DATABASE"]}}
USE_TZ = True
LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"level": "INFO"}}
