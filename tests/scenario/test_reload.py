# SPDX-License-Identifier: Apache-2.0
"""A changed configuration file and SIGHUP change what can change while it runs, and say what cannot."""
import json
import os
import signal

import pytest

from culprit_process import Culprit
from otlp_messages import new_trace_id, several, span, traces
from waiting import wait_until

CONFIG = """
sampling:
  decision_wait: {wait}
memory:
  max_bytes: {memory}
cors:
  max_age: {max_age}
"""


class Configured:
    def __init__(self, tmp_path):
        self.path = tmp_path / "culprit.yaml"
        self.write(CONFIG.format(wait="600s", memory="64MiB", max_age="1h"))
        self.culprit = Culprit(tmp_path / "data", config=self.path).start()

    def write(self, text):
        """As editors and Kubernetes do it: another file in its place."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self.path)

    def log(self):
        return [json.loads(line) for line in self.culprit.stderr().splitlines() if line.startswith("{")]

    def keys(self, message):
        return [line["key"] for line in self.log() if line["component"] == "reload" and line["message"] == message]

    def times_read(self):
        return sum(line["message"] == "configuration read again" for line in self.log())


@pytest.fixture
def configured(tmp_path):
    made = Configured(tmp_path)
    yield made
    if made.culprit.is_running():
        made.culprit.stop()


def test_a_changed_file_changes_times_and_budgets_while_spans_wait(configured, running):
    culprit = configured.culprit
    running.client(culprit).send("traces", several("traces", 3))
    wait_until(lambda: culprit.api("/status")["sampling"]["waiting_traces"] > 0, 5, "a waiting trace")
    assert culprit.api("/status")["sampling"]["decision_wait_s"] == 600

    configured.write(CONFIG.format(wait="50ms", memory="128MiB", max_age="2h"))
    wait_until(lambda: culprit.api("/status")["sampling"]["kept"] == 3, 10, "the verdict that waited")
    assert culprit.api("/status")["memory"]["max_bytes"] == 128 << 20
    assert sorted(configured.keys("changed")) == ["memory.max_bytes", "sampling.decision_wait"]
    assert configured.keys("needs a restart") == ["cors.max_age"]
    assert culprit.stop() == (3, 3, 0)


POLICIES = """
sampling:
  decision_wait: {wait}
  policies: {policies}
"""


def test_changed_policies_decide_over_what_waits(configured, running):
    """Also by attributes that nobody looked for when the spans came."""
    culprit, client = configured.culprit, running.client(configured.culprit)

    def change(wait, policies):
        before = configured.times_read()
        configured.write(POLICIES.format(wait=wait, policies=policies))
        wait_until(lambda: configured.times_read() > before, 10, "the configuration read again")

    def send(tier):
        trace_id = new_trace_id()
        assert client.traces(traces([span(trace_id, values={"tier": tier})])).ok
        return trace_id.hex()

    def decision(trace_id):
        return culprit.find(trace_id)["verdict"]["decision"]

    def policies():
        return [entry["policy"] for entry in culprit.api("/status")["sampling"]["policies"]]

    change("50ms", "[errors]")
    early = send("gold")
    wait_until(lambda: decision(early) == "drop", 10, "a verdict")
    change("600s", "[errors]")
    gold, tin = send("gold"), send("tin")
    wait_until(lambda: culprit.api("/status")["sampling"]["waiting_traces"] == 2, 10, "two waiting traces")
    assert policies() == ["errors"]
    change("600s", "[{latency: 1h}, {attribute: {key: tier, value: gold}}]")
    assert configured.keys("changed")[-1] == "sampling.policies" and policies() == ["latency", "attribute"]
    late = send("gold")
    change("50ms", "[{latency: 1h}, {attribute: {key: tier, value: gold}}]")
    wait_until(lambda: [decision(trace_id) for trace_id in (gold, tin, late)] == ["keep", "drop", "keep"], 10, "verdicts")
    assert decision(early) == "drop", "what was decided stays decided"
    assert culprit.find(gold)["verdict"]["policy"] == "attribute"
    wait_until(lambda: [entry["kept"] for entry in culprit.api("/status")["sampling"]["policies"]] == [0, 2], 10, "counts")
    assert "sampling.policies" not in configured.keys("needs a restart")


def test_a_wrong_file_changes_nothing_until_it_is_right(configured):
    culprit = configured.culprit
    configured.write("sampling:\n  decision_wait: soon\nmemory:\n  max_bytes: 32MiB\n")
    wrong = "the configuration is wrong and was not taken"
    wait_until(lambda: any(line["message"] == wrong for line in configured.log()), 10, "the problem in the log")
    problem = next(line["problem"] for line in configured.log() if line["message"] == wrong)
    assert f"{configured.path}:2: sampling.decision_wait" in problem
    assert culprit.api("/status")["memory"]["max_bytes"] == 64 << 20

    configured.write(CONFIG.format(wait="600s", memory="32MiB", max_age="1h"))
    wait_until(lambda: culprit.api("/status")["memory"]["max_bytes"] == 32 << 20, 10, "the next good file")
    assert configured.keys("changed") == ["memory.max_bytes"]


def test_sighup_reads_again(configured):
    configured.culprit.process.send_signal(signal.SIGHUP)
    wait_until(lambda: configured.times_read() == 1, 10, "the configuration read again")
    assert configured.keys("changed") == [] and configured.keys("needs a restart") == []
    assert configured.culprit.is_running()
