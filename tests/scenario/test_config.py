# SPDX-License-Identifier: Apache-2.0
"""The command line: help, check, config, and what a wrong configuration is told."""
import re

import pytest

from culprit_process import Culprit, run

COMMANDS = ["serve", "check", "config", "demo", "explain", "project", "rules", "version"]


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "culprit.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(command):
    code, out, err = run(command, "--help")
    assert code == 0 and err == ""
    assert out.startswith(f"usage: culprit {command}") and len(out.splitlines()) >= 3


def test_help_lists_the_commands():
    for arguments in (["--help"], ["help"]):
        code, out, _ = run(*arguments)
        assert code == 0 and re.findall(r"^  (\w+) ", out, re.MULTILINE) == COMMANDS
    code, out, err = run()
    assert code == 2 and out == "" and "usage:" in err
    code, _, err = run("dance")
    assert code == 2 and "dance" in err
    assert run("serve", "--dance")[0] == 2 and run("serve", "extra")[0] == 2


def test_version():
    code, out, _ = run("version")
    assert code == 0 and re.fullmatch(r"culprit \d+\.\d+\.\d+\S*\n", out)


def test_check_accepts_the_defaults_and_a_full_file(file):
    assert run("check")[0] == 0
    path = file("""# everything at once
data_dir: /tmp/somewhere
listen:
  grpc: 127.0.0.1:0
  http: '[::1]:0'
journal: {sync: interval, sync_interval: 100ms, intake_max_bytes: 1GiB}
sampling:
  decision_wait: 1.5s
  policies: [errors, {latency: 2s}, {attribute: {key: tenant, regex: "^gold"}}, {probability: 0.1}, {rate_limit: 50}]
correlation:
  request_id_attributes:
    - order.id
    - x-request-id
exporters:
  otlp:
    endpoint: ${env:JAEGER:-http://127.0.0.1:4317}
ui:
  jaeger_url: http://127.0.0.1:16686
retention: {events: 30d, requests: 12h}
""")
    code, out, err = run("check", "-c", str(path))
    assert (code, err) == (0, "") and "ok" in out


# (the file, then for each problem its line and the words that must be there)
WRONG = [
    ("listen:\n  grpcc: 1\n", [(2, ["listen.grpcc", "unknown key", "grpc", "http", "ui"])]),
    ("nothing: 1\n", [(1, ["nothing", "unknown key", "sampling"])]),
    ("sampling:\n  decision_wait: soon\n", [(2, ["sampling.decision_wait", "10s", "soon"])]),
    ("journal:\n  sync: sometimes\n", [(2, ["journal.sync", "always, interval, never", "sometimes"])]),
    ("journal:\n  intake_max_bytes: 10 apples\n", [(2, ["journal.intake_max_bytes", "MiB"])]),
    ("journal:\n  intake_max_bytes: 1KiB\n", [(2, ["journal.intake_max_bytes", "4MiB"])]),
    ("listen:\n  http: 127.0.0.1\n", [(2, ["listen.http", "port"])]),
    ("exporters:\n  otlp:\n    endpoint: jaeger:4317\n", [(3, ["exporters.otlp.endpoint", "http://"])]),
    ("sampling:\n  policies:\n    - errors\n    - {probabilty: 0.1}\n", [(4, ["probabilty", "probability"])]),
    ("sampling:\n  policies: [{probability: often}]\n", [(2, ["probability", "0 to 1"])]),
    ("sampling:\n  policies:\n    - {probability: 1.5}\n    - {attribute: {key: k, regex: '('}}\n",
     [(3, ["sampling.policies", "probability", "0 and 1"]), (4, ["sampling.policies", "regex"])]),
    ("data_dir: a\ndata_dir: b\n", [(2, ["data_dir", "twice"])]),
    ("sampling:\n  policies: errors\n", [(2, ["sampling.policies", "list"])]),
    ("data_dir: [a]\n", [(1, ["data_dir", "single value"])]),
    ("listen: 7\n", [(1, ["listen", "section"])]),
    ("a: b: c\n", [(1, ["YAML"])]),
    ("data_dir: ${env:NOT_SET_ANYWHERE}\n", [(1, ["NOT_SET_ANYWHERE", "not set"])]),
    # All of them are told, not only the first.
    ("log_level: loud\nlisten:\n  ui: here\n  x: 1\n", [(1, ["log_level"]), (3, ["listen.ui"]), (4, ["listen.x"])]),
]


@pytest.mark.parametrize("text, problems", WRONG, ids=[text.splitlines()[-1].strip() for text, _ in WRONG])
def test_wrong_files(file, text, problems):
    path = file(text)
    for command in ("check", "serve", "config"):  # the same code path
        code, out, err = run(command, "-c", str(path))
        assert code == 1 and out == "", command
        lines = err.splitlines()
        assert len(lines) == len(problems), err
        for line, (number, words) in zip(lines, problems):
            assert line.startswith(f"{path}:{number}: "), line
            assert all(word in line for word in words), line


@pytest.mark.parametrize("text, words", [
    ("tls:\n  grpc: {cert_file: a.pem}\n", ["tls.grpc", "key_file"]),
])
def test_values_that_do_not_fit_together(file, text, words):
    path = file(text)
    for command in ("check", "serve"):
        code, _, err = run(command, "-c", str(path))
        assert code == 1 and str(path) in err and all(word in err for word in words), err


def test_wrong_variables_and_missing_files(tmp_path):
    code, _, err = run("check", journal_sync="sometimes")
    assert code == 1 and "CULPRIT_JOURNAL_SYNC" in err and "always, interval, never" in err
    code, _, err = run("check", jurnal_sync="always")
    assert code == 1 and "CULPRIT_JURNAL_SYNC" in err
    missing = tmp_path / "missing.yaml"
    code, _, err = run("check", "-c", str(missing))
    assert code == 1 and str(missing) in err and "No such file" in err


def test_config_prints_every_value_with_its_source(file):
    path = file("sampling:\n  decision_wait: 3s\ningest:\n  keys: [s3cret]\n")
    code, out, _ = run("config", "-c", str(path), journal_sync="never")
    assert code == 0

    def line(key):
        [found] = [text for text in out.splitlines() if re.match(rf"\s*{key}:\s*\S", text)]
        return found

    assert "3s" in line("decision_wait") and f"{path}:2" in line("decision_wait")
    assert "never" in line("sync") and "CULPRIT_JOURNAL_SYNC" in line("sync")
    assert "default" in line("data_dir") and "10GiB" in line("kept_max_bytes")
    assert "s3cret" not in out and "***" in line("keys")


def test_what_config_prints_is_a_configuration(file, tmp_path):
    code, printed, _ = run("config", sampling_policies="[errors, {latency: 2s}, {probability: 0.25}]")
    assert code == 0
    path = file(printed)
    assert run("check", "-c", str(path))[0] == 0
    _, again, _ = run("config", "-c", str(path))

    def bare(text):
        return [line.split(" #")[0].rstrip() for line in text.splitlines()]

    assert bare(again) == bare(printed)


def test_the_key_names_that_others_rely_on():
    _, out, _ = run("config", "--help")
    for key in ("data_dir", "listen.grpc", "listen.http", "listen.ui", "journal.sync", "journal.intake_max_bytes",
                "journal.kept_max_bytes", "store.max_bytes", "sampling.decision_wait", "sampling.policies",
                "correlation.request_id_attributes", "exporters.otlp.endpoint", "ui.jaeger_url", "retention.events",
                "retention.requests", "memory.max_bytes"):
        assert re.search(rf"\b{re.escape(key)}\b", out), key


def test_a_file_and_a_variable_over_it(tmp_path):
    path = tmp_path / "culprit.yaml"
    path.write_text("sampling:\n  decision_wait: ${env:TEST_WAIT:-7s}\n  policies: [{latency: 1s}]\n")
    culprit = Culprit(tmp_path / "data", config=path, sampling_policies="[errors]")
    culprit.start()
    sampling = culprit.api("/status")["sampling"]
    assert sampling["decision_wait_s"] == 7 and [p["policy"] for p in sampling["policies"]] == ["errors"]
    culprit.stop()
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{culprit.http}" in culprit.stdout
    assert re.search(rf"\bSENTRY_DSN=http://[0-9a-f]{{32}}@{re.escape(culprit.http)}/1$", culprit.stdout, re.MULTILINE)
    assert culprit.ui in culprit.stdout and culprit.grpc in culprit.stdout and "OTEL_EXPORTER_OTLP_PROTOCOL" in \
        culprit.stdout


@pytest.mark.parametrize("door", ["grpc", "http", "ui"])
def test_an_address_in_use_is_named_with_its_key(running, door):
    culprit = running.start()
    taken = getattr(culprit, door)
    addresses = {f"listen_{name}": "127.0.0.1:0" for name in ("grpc", "http", "ui")} | {f"listen_{door}": taken}
    other = str(culprit.data_dir) + "-other"
    running.directories.append(other)
    code, _, err = run("serve", data_dir=other, **addresses)
    assert code == 1 and f"listen.{door}: {taken}" in err, err
