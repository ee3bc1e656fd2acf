# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition with a deadline: the only way these tests wait for anything."""
import os
import time

# Under a sanitizer everything takes longer; ./dev sets this for those runs.
SLOW = os.environ.get("TEST_SLOW") == "1"
FACTOR = 5.0 if SLOW else 1.0


class Late(AssertionError):
    """A condition that did not come true in time."""


def wait_until(condition, deadline=10.0, what=None):
    """Polls `condition` until it returns something true, which is returned. An assertion or a missing key inside it
    counts as "not yet"; the last one is the cause of the failure. `deadline` is in seconds on a quiet machine."""
    end = time.monotonic() + deadline * FACTOR
    pause = 0.002
    last = None
    while True:
        try:
            value = condition()
            last = None
        except (AssertionError, LookupError) as error:
            value, last = None, error
        if value:
            return value
        if time.monotonic() > end:
            raise Late(f"not within {deadline * FACTOR:g} s: {what or condition.__name__}") from last
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
