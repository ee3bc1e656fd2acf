# SPDX-License-Identifier: Apache-2.0
"""Error events of Sentry SDKs, from the socket to the committed row, for tests/bench/run.

  events     50 KB and 5 KB Python events of 50 issues at full speed on 128 connections, in the steady state (see run):
             the rate is that of rows committed, and the clock stops when the last one is
  fairness   project A floods one issue at full speed while project B sends a modest, steady rate of distinct errors;
             B's time from being due to its committed row, against that of B alone

"cpu ms/event" is culprit's own CPU time, the generator not included; "lag s" is how long the inbox needed after the
last answer.
"""
import json
import os
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOAD = ROOT / "build" / "release" / "bench" / "bench_events"
CULPRIT = ROOT / "build" / "release" / "culprit"
TICKS = os.sysconf("SC_CLK_TCK")

SIZES = {"50 KB": 50000, "5 KB": 5000}
WARM_UP_SECONDS = 8  # several times run's decision_wait: the journal writes over its segments
FULL_SPEED_CONNECTIONS = 128  # as from 128 workers: each waits for its answer, and an answer for the disk
FLOOD_CONNECTIONS = 8
STEADY_RATE = 100
STEADY_ISSUES = 200


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def project_command(culprit, *arguments):
    environment = dict(os.environ, CULPRIT_DATA_DIR=str(culprit.data))
    result = subprocess.run([CULPRIT, "project", *arguments], env=environment, stdout=subprocess.PIPE, text=True,
                            check=True)
    return result.stdout


def key_of(culprit, name):
    """(project number, key) out of a DSN: http://KEY@host:port/NUMBER"""
    dsn = project_command(culprit, "key" if name == "default" else "create", name).split()[-1]
    time.sleep(1)  # a running culprit sees another process's change within half a second
    return dsn.rsplit("/", 1)[1], dsn.split("//", 1)[1].split("@", 1)[0]


def start_load(culprit, project, key, **options):
    arguments = [LOAD, "--address", culprit.ports["http"], "--project", project, "--key", key]
    for name, value in options.items():
        arguments += ["--" + name.replace("_", "-"), str(value)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def finish_load(child):
    report = json.loads(child.communicate()[0])
    if report["errors"]:
        print(f"  {report['errors']} events were refused", file=sys.stderr)
    return report


def committed(culprit):
    return culprit.metric("culprit_inbox_events_total") + culprit.metric("culprit_inbox_resent_total")


def wait_committed(culprit, count):
    deadline = time.monotonic() + 300
    while committed(culprit) < count:
        if time.monotonic() > deadline:
            sys.exit("the inbox did not take what was accepted within five minutes")
        time.sleep(0.02)


def full_speed(culprit_class, options, size):
    culprit = culprit_class(options.dir)
    project, key = key_of(culprit, "default")
    child = start_load(culprit, project, key, bytes=SIZES[size], warm_up=WARM_UP_SECONDS, seconds=options.seconds,
                       connections=FULL_SPEED_CONNECTIONS)
    time.sleep(WARM_UP_SECONDS)
    start, rows, cpu = time.monotonic(), committed(culprit), cpu_seconds(culprit.child.pid)
    report = finish_load(child)
    answered = time.monotonic()
    wait_committed(culprit, culprit.metric("culprit_intake_stored_items_total"))
    end = time.monotonic()
    rows = committed(culprit) - rows
    report["lag"] = end - answered
    report["speed"] = rows / (end - start)
    report["cpu"] = (cpu_seconds(culprit.child.pid) - cpu) * 1e3 / rows
    report["peak"] = culprit.close()
    return report


class Rows(threading.Thread):
    """Notes when each further event of a project is in the database: (count, monotonic seconds)."""

    def __init__(self, culprit, project):
        super().__init__(daemon=True)
        self.path, self.project = culprit.data / "culprit.db", int(project)
        self.seen, self.done = [], threading.Event()
        self.start()

    def run(self):
        database = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
        last = 0
        while not self.done.wait(0.005):
            row = database.execute("SELECT coalesce(sum(count), 0) FROM issue WHERE project_id = ?", (self.project,))
            count = row.fetchone()[0]
            if count > last:
                self.seen.append((count, time.monotonic()))
                last = count

    def delays(self, start, rate, total):
        """Seconds from when each event was due to when it was seen; the order is that of sending."""
        result, at = [], 0
        for number in range(total):
            while at < len(self.seen) and self.seen[at][0] <= number:
                at += 1
            if at == len(self.seen):
                sys.exit(f"event {number} of the steady project never came")
            result.append(self.seen[at][1] - (start + number / rate))
        return result


def steady(culprit, project, key, seconds):
    rows = Rows(culprit, project)
    child = start_load(culprit, project, key, bytes=5000, issues=STEADY_ISSUES, distinct=STEADY_ISSUES,
                       first_issue=1000000, connections=4, rate=STEADY_RATE, seconds=seconds)
    report = finish_load(child)
    deadline = time.monotonic() + 120
    while (not rows.seen or rows.seen[-1][0] < report["events"]) and time.monotonic() < deadline:
        time.sleep(0.01)
    rows.done.set()
    rows.join()
    # The generator says when it began: its clock is ours.
    delays = rows.delays(report["started"], STEADY_RATE, report["events"])
    return {"rate": report["events"] / report["seconds"], "p50": statistics.median(delays) * 1e3,
            "p99": sorted(delays)[int(len(delays) * 0.99)] * 1e3}


def fairness(culprit_class, options, size):
    result = {}
    for flooded in (False, True):
        culprit = culprit_class(options.dir)
        project, key = key_of(culprit, "steady")
        flood = None
        if flooded:
            number, flood_key = key_of(culprit, "default")
            flood = start_load(culprit, number, flood_key, bytes=SIZES[size], issues=1, seconds=options.seconds + 2,
                               connections=FLOOD_CONNECTIONS)
            time.sleep(1)  # the flood is on
        result["flooded" if flooded else "alone"] = steady(culprit, project, key, options.seconds)
        if flood:
            result["flood"] = finish_load(flood)["events_per_second"]
        culprit.close()
    return result


def run(culprit_class, options, only):
    subprocess.run(["cmake", "--build", ROOT / "build" / "release", "--target", "culprit", "bench_events"], check=True,
                   stdout=subprocess.DEVNULL)
    print(f"error events, socket to committed row, {os.cpu_count()} cores, {options.runs} runs of {options.seconds} s, "
          "medians; generator on the same cores")
    if "events" in only:
        results = {size: [] for size in SIZES}
        for _ in range(options.runs):
            for size in SIZES:
                results[size].append(full_speed(culprit_class, options, size))
        print(f"   {'':14} {'events/s':>9} {'cpu ms/event':>13} {'peak MiB':>9} {'lag s':>6} {'p50 ms':>7} {'p99 ms':>7}")
        for size, reports in results.items():
            def median(name):
                return statistics.median(report[name] for report in reports)
            print(f"   {size:5} {int(median('event_bytes')):6} B {median('speed'):9.0f} {median('cpu'):13.3f}"
                  f" {median('peak'):9.1f} {median('lag'):6.2f} {median('p50_ms'):7.2f} {median('p99_ms'):7.2f}")
    if "fairness" in only:
        for size in SIZES:
            runs = [fairness(culprit_class, options, size) for _ in range(options.runs)]
            worst = max(runs, key=lambda one: one["flooded"]["p50"] / one["alone"]["p50"])
            alone, flooded = worst["alone"], worst["flooded"]
            print(f"   project B, {STEADY_RATE} events/s: alone {alone['rate']:.0f}/s, to its row p50 {alone['p50']:.0f} ms,"
                  f" p99 {alone['p99']:.0f} ms; while A floods one issue with {worst['flood']:.0f} events/s of {size}:"
                  f" {flooded['rate']:.0f}/s, p50 {flooded['p50']:.0f} ms, p99 {flooded['p99']:.0f} ms"
                  f" (worst of {options.runs})")
