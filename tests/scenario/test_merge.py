# SPDX-License-Identifier: Apache-2.0
"""Issues that a person merges and splits, with events of Sentry's Python SDK: it sticks for new events, through restarts
and kill -9. And rules that change while issues stay."""
import http.client
import json
import threading

import pytest
import sentry_sdk

from otlp_messages import new_request_id
from test_sdk_sentry_python import dsn_of
from waiting import wait_until


class PaymentError(Exception):
    pass


class ShippingError(Exception):
    pass


def pay(text):
    raise PaymentError(text)


def ship(text):
    raise ShippingError(text)


class Reporter:
    """The SDK, pointed at where culprit listens now."""

    def __init__(self, culprit):
        self.culprit = culprit
        sentry_sdk.init(dsn_of(culprit), default_integrations=False)

    def report(self, function):
        """Reports one error; its event as the API has it."""
        try:
            function(new_request_id())
        except Exception as error:  # whatever it raises is what is reported
            event_id = sentry_sdk.capture_exception(error)
        sentry_sdk.flush()
        return wait_until(lambda: self.culprit.event(event_id), 10, "the event")

    def issue_of(self, function):
        return self.report(function)["issue"]["id"]


def post(culprit, path, document, code=200):
    status, _, body = culprit.request("POST", "/api/v1" + path, json.dumps(document).encode(),
                                      {"Content-Type": "application/json"})
    assert status == code, f"POST {path}: {status} {body[:300]!r}"
    return json.loads(body)


def restart(running, culprit, kill=False):
    culprit.kill() if kill else culprit.stop()
    again = running.start(data_dir=culprit.data_dir)
    return again, Reporter(again)


def hashes_of(event):
    """Those that events are grouped by; an outline only leads the other kind of report here."""
    return {variant["hash"] for name, variant in event["grouping"]["variants"].items()
            if variant["contributes"] and name != "outline"}


def test_a_merge_sticks_and_so_does_its_undoing(running):
    culprit = running.start()
    reporter = Reporter(culprit)
    paid, shipped = reporter.issue_of(pay), reporter.issue_of(ship)
    assert paid != shipped
    before = culprit.api(f"/issues/{shipped}")

    merged = post(culprit, f"/issues/{paid}/merge", {"issues": [shipped]})
    assert merged["id"] == paid and merged["count"] == 2 and [each["id"] for each in merged["merged"]] == [shipped]
    assert reporter.issue_of(ship) == paid and reporter.issue_of(pay) == paid
    assert [issue["id"] for issue in culprit.issues()] == [paid]
    for name in (shipped, before["short_id"]):
        assert culprit.api(f"/issues/{name}")["id"] == paid

    culprit, reporter = restart(running, culprit)
    event = reporter.report(ship)
    assert event["issue"]["id"] == paid and reporter.issue_of(pay) == paid
    assert culprit.api(f"/issues/{paid}")["count"] == 6

    [name] = hashes_of(event)
    [entry] = [entry for entry in culprit.api(f"/issues/{paid}")["hashes"] if entry["hash"] == name]
    assert entry["count"] == 3 and entry["can_split"] and entry["merged_from"] == before["short_id"]
    assert entry["title"].startswith("ShippingError")
    apart = post(culprit, f"/issues/{paid}/unmerge", {"hashes": [name]}, 201)
    assert apart["count"] == 3 and apart["title"].startswith("ShippingError") and apart["id"] not in (paid, shipped)
    assert apart["first_seen"] == before["first_seen"]
    assert {event["title"].split(":")[0] for event in culprit.events_of(apart)} == {"ShippingError"}
    left = culprit.api(f"/issues/{paid}")
    assert left["count"] == 3 and {event["title"].split(":")[0] for event in culprit.events_of(left)} == {"PaymentError"}
    assert reporter.issue_of(ship) == apart["id"] and reporter.issue_of(pay) == paid

    culprit, reporter = restart(running, culprit, kill=True)
    assert reporter.issue_of(ship) == apart["id"] and reporter.issue_of(pay) == paid
    assert culprit.api(f"/issues/{shipped}")["id"] == apart["id"]
    assert {issue["id"]: issue["count"] for issue in culprit.issues()} == {paid: 5, apart["id"]: 5}


def test_kill_9_leaves_a_merge_done_or_not(running):
    culprit = running.start()
    reporter = Reporter(culprit)
    issues = [reporter.issue_of(pay), reporter.issue_of(ship)]
    sent = 2
    for number in range(6):
        target, other = issues[number % 2], issues[1 - number % 2]

        def change():
            try:
                detail = post(culprit, f"/issues/{target}/merge", {"issues": [other]})
                hashes = [entry["hash"] for entry in detail["hashes"] if entry["can_split"]]
                post(culprit, f"/issues/{target}/unmerge", {"hashes": hashes[:1]}, 201)
                done.append(True)
            except (OSError, http.client.HTTPException):
                pass  # it was killed under the request

        done = []
        thread = threading.Thread(target=change)
        thread.start()
        if number % 2:
            thread.join()
        culprit, reporter = restart(running, culprit, kill=True)
        thread.join()
        reporter.report(pay)
        reporter.report(ship)
        sent += 2
        found = culprit.issues()
        assert sum(issue["count"] for issue in found) == sent
        if done:
            assert len(found) == 2
        for issue in found:
            detail = culprit.api(f"/issues/{issue['id']}")
            assert sum(hour["count"] for hour in detail["hours"]) == detail["count"]
            assert len(culprit.events_of(detail)) == detail["count"]
        issues = [reporter.issue_of(pay), reporter.issue_of(ship)]
        sent += 2
        if issues[0] == issues[1]:  # stopped between the two: apart again for the next round
            detail = culprit.api(f"/issues/{issues[0]}")
            [name] = hashes_of(reporter.report(ship))
            sent += 1
            made = post(culprit, f"/issues/{detail['id']}/unmerge", {"hashes": [name]}, 201)
            issues[1] = made["id"]


@pytest.mark.parametrize("rules", [{"fingerprint_rules": "type:PaymentError -> payments"},
                                   {"enhancements": "function:pay -group -app"}])
def test_rules_change_and_issues_stay(running, rules):
    culprit = running.start()
    reporter = Reporter(culprit)
    before = reporter.report(pay)
    other = reporter.issue_of(ship)
    culprit.patch("/projects/default", {"settings": rules})
    after = wait_until(lambda: (event := reporter.report(pay))["grouping"]["algorithm"] !=
                       before["grouping"]["algorithm"] and event, 10, "an event by the new rules")
    assert hashes_of(after) != hashes_of(before) and after["issue"]["id"] == before["issue"]["id"]
    assert reporter.issue_of(ship) == other
    culprit, reporter = restart(running, culprit)
    assert reporter.issue_of(pay) == before["issue"]["id"]
    algorithms = {entry["algorithm"] for entry in culprit.api(f"/issues/{before['issue']['id']}")["hashes"]
                  if entry["variant"] != "outline"}
    assert len(algorithms) == 2
