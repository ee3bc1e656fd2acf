# SPDX-License-Identifier: Apache-2.0
"""One run of an application with Sentry's SDK that sends everything that comes beside an event. Its arguments are what
to do; it prints one JSON object a step, the last one when everything was sent."""
import json
import os
import sys

import sentry_sdk
from sentry_sdk.envelope import Envelope, Item, PayloadRef

WORD = os.environ["WORD"]


def tell(**what):
    print(json.dumps(what), flush=True)


def before_send(event, hint):
    return None if event.get("level") == "debug" else event


sentry_sdk.init(release="items@1", environment="test", before_send=before_send)
client = sentry_sdk.get_client()


def attachments():
    """Of the scope, of one event only, a file, one that is too large, and page source that no browser may run."""
    with sentry_sdk.new_scope() as scope:
        scope.add_attachment(bytes=bytes(range(256)) * 8, filename="bytes.bin")
        scope.add_attachment(path=__file__, content_type="text/x-python")
        scope.add_attachment(bytes=b"<script>alert(1)</script>", filename="page.html", content_type="text/html")
        scope.add_attachment(bytes=os.urandom(3 << 20), filename="core.dmp")
        try:
            raise RuntimeError(f"attached {WORD}")
        except RuntimeError as error:
            tell(event_id=sentry_sdk.capture_exception(error))


def user_report():
    event_id = sentry_sdk.capture_message(f"reported {WORD}")
    sentry_sdk.flush(10)
    envelope = Envelope(headers={"event_id": event_id})
    report = {"event_id": event_id, "name": "Jane Doe", "email": "jane@people.example",
              "comments": f"it broke {WORD}, write to other@people.example"}
    envelope.add_item(Item(payload=PayloadRef(json=report), type="user_report"))
    client.transport.capture_envelope(envelope)
    tell(event_id=event_id)


def feedback():
    event_id = sentry_sdk.capture_message(f"felt {WORD}")
    contexts = {"feedback": {"message": f"it is slow {WORD}", "contact_email": "joe@people.example", "name": "Joe",
                             "url": "http://shop.example/cart?token=0123456789abcdef", "associated_event_id": event_id}}
    with sentry_sdk.new_scope() as scope:
        scope.add_attachment(bytes=b"\x89PNG picture", filename="screen.png", content_type="image/png")
        feedback_id = sentry_sdk.capture_event({"type": "feedback", "level": "info", "contexts": contexts})
    alone = sentry_sdk.capture_event({"type": "feedback", "level": "info",
                                      "contexts": {"feedback": {"message": f"of nothing {WORD}"}}})
    tell(event_id=event_id, feedback_id=feedback_id, alone_id=alone)


def discards():
    for _ in range(7):
        sentry_sdk.capture_message(f"dropped {WORD}", level="debug")
    # The SDK sends its report with what goes out next, once half a minute is over: here it is.
    client.transport._last_client_report_sent = 0
    tell(event_id=sentry_sdk.capture_message(f"kept {WORD}"))


def session():
    with sentry_sdk.new_scope(), sentry_sdk.isolation_scope() as scope:
        scope.start_session(session_mode="application")
        scope.end_session()
    tell()


for step in sys.argv[1:]:
    globals()[step]()
sentry_sdk.flush(10)
client.close(timeout=10)
tell(done=True)
