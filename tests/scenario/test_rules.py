# SPDX-License-Identifier: Apache-2.0
"""`culprit rules`: a team checks its grouping rules and sees what they do, and the inbox then does the same."""
import json

from culprit_process import run
from sentry_messages import Sender, event_envelope, frame, new_event_id
from waiting import wait_until

STACK = """# what we do not own
stack.module:tenacity -app -group

stack.function:main category=entry ^-group v+app max-frames=4
"""
FINGERPRINT = 'type:Cart* tags.shop:* -> cart, {{ tags.shop }} title="Cart in {{ tags.shop }}"\n'
EVENT = {"platform": "python", "tags": {"shop": "berlin"}, "exception": {"values": [{
    "type": "CartEmpty", "value": "no price", "stacktrace": {"frames": [
        frame("serve", module="shop.server", filename="server.py", in_app=False), frame("main", module="shop.main"),
        frame("price_of", module="shop.price"), frame("retry", module="tenacity", filename="tenacity.py")]}}]}}


def write(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def explain(*arguments):
    code, printed, errors = run("rules", "explain", *arguments)
    assert code == 0, errors
    return printed


def hashes_of(printed):
    lines = [line.split() for line in printed.splitlines() if line.startswith("  hash ")]
    return {words[2].rstrip(":"): words[1] for words in lines if words[1] != "-"}


def test_check_says_everything_that_is_wrong(tmp_path):
    stack, fingerprint = write(tmp_path, "s.txt", STACK), write(tmp_path, "f.txt", FINGERPRINT)
    code, printed, errors = run("rules", "check", stack, fingerprint)
    assert (code, errors) == (0, "")
    assert printed == f"{stack}: 2 stack-trace rules\n{fingerprint}: 1 fingerprint rules\n"
    bad = write(tmp_path, "bad.txt", "function:a -grup\nfunction:b -group\n\n  nothing here\nfunction:\"c -group\n")
    code, printed, errors = run("rules", "check", bad)
    assert code == 1 and printed == ""
    places = [line.split(": ")[0] for line in errors.splitlines()]
    assert places == [f"{bad}:1:12", f"{bad}:4:3", f"{bad}:5:10"]
    assert "known are +app, -app, +group, -group, category=" in errors
    assert run("rules", "check", "--stack", fingerprint)[0] == 1  # not rules of that kind
    assert run("rules", "check", "--fingerprint", stack)[0] == 1
    code, _, errors = run("rules", "check", str(tmp_path / "nowhere"), stack)
    assert code == 1 and "No such file" in errors
    many = write(tmp_path, "many.txt", "".join(f"function:f{i} -group\n" for i in range(1001)))
    code, _, errors = run("rules", "check", many)
    assert code == 1 and errors == f"{many}:1001:1: more than 1000 rules\n"


def test_wrong_usage_is_told_apart(tmp_path):
    for arguments in ([], ["chek"], ["check"], ["explain"], ["check", "--stack", "--fingerprint", "x"],
                      ["explain", "--stack"]):
        code, printed, errors = run("rules", *arguments)
        assert code == 2 and printed == "" and errors, arguments
    assert run("rules", "--help")[0] == 0
    assert run("rules", "explain", write(tmp_path, "no.json", "[1]"))[0] == 1


def test_explain_shows_which_rule_did_what(tmp_path):
    stack, fingerprint = write(tmp_path, "s.txt", STACK), write(tmp_path, "f.txt", FINGERPRINT)
    event = write(tmp_path, "e.json", EVENT)
    printed = explain("--stack", stack, "--fingerprint", fingerprint, event)
    assert printed.startswith(f"{event}: Cart in berlin\n  exception CartEmpty: no price\n")
    main = f"by {stack}:4: stack.function:main category=entry ^-group v+app max-frames=4"
    tenacity = f"by {stack}:2: stack.module:tenacity -app -group"
    frames = printed.split("exception CartEmpty: no price\n")[1].split("  of the stack trace as a whole\n")
    assert [line.strip() for line in frames[0].splitlines()] == [
        "in app      serve in shop.server (server.py:1)", f"+app  {main}",
        "in app      main in m (m.py:1)".replace(" m (", " shop.main ("), f"category=entry  {main}",
        "in app      price_of in shop.price (m.py:1)", f"-group  {main}",
        "not in app  retry in tenacity (tenacity.py:1)", f"-app  {tenacity}", f"-group  {tenacity}"]
    assert frames[1].splitlines()[0].strip() == f"max-frames=4  {main}"
    assert f"  fingerprint cart, {{{{ tags.shop }}}}\n        by {fingerprint}:1: {FINGERPRINT}" in printed
    plain = explain(event)
    assert "no fingerprint rule matches" in plain and " by " not in plain.replace("by built-in", "")
    assert hashes_of(plain) != hashes_of(printed)


def test_the_inbox_does_the_same(running, tmp_path):
    culprit = running.start()
    stack, fingerprint = write(tmp_path, "s.txt", STACK), write(tmp_path, "f.txt", FINGERPRINT)
    event = write(tmp_path, "e.json", EVENT)
    sender = Sender(culprit)

    def grouped():
        """The hashes of a new event, as the inbox made them, and the event."""
        event_id = new_event_id()
        assert sender.post(event_envelope(EVENT, event_id))[0] == 200
        wait_until(lambda: culprit.request("GET", f"/api/v1/events/{event_id}")[0] == 200, 10, "the event")
        found = culprit.event(event_id)
        return {name: one["hash"] for name, one in found["grouping"]["variants"].items() if one["hash"]}, found

    hashes, _ = grouped()
    assert hashes and hashes == hashes_of(explain(event))
    arguments = []
    for option, path in (("--stack", stack), ("--fingerprint", fingerprint)):
        arguments += [option, path]
        code, _, errors = run("project", "rules", "default", option, path, data_dir=culprit.data_dir)
        assert code == 0, errors
        expected = hashes_of(explain(*arguments, event))
        assert expected != hashes
        hashes, found = grouped()
        assert hashes == expected
        # What the API answers of the event can be explained too.
        assert hashes_of(explain(*arguments, write(tmp_path, "stored.json", found))) == expected
