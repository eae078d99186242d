"""A message waits until its receiver is there again, and comes once, in its turn, with its own time."""

from __future__ import annotations

import email
import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from receivers import MailServer, Webhook

from flows import doctor, outbox
from flows.events import Event
from flows.outbox import KEPT_DAYS, Message, Outbox
from flows.telling import announce, bring_what_waits
from lstm_model.workspace import Workspace

Make = Callable[[str], Workspace]


def failed(text: str) -> Event:
    return Event("failed", {}, text, {"failed": {"train": text}})


def told(hook: Webhook) -> list[str]:
    return [message["text"] for message in hook.got]


def message(text: str, ago: timedelta = timedelta(0), way: str = "webhook") -> Message:
    return Message(text, way, datetime.now(UTC) - ago, "nightcast.night.failed", "a night failed", text, {})


def waiting(workspace: Workspace) -> list[tuple[str, str]]:
    return [(one.way, one.text) for one in Outbox(workspace.state).peek()]


def until_nobody_sends() -> None:
    for thread in [one for one in threading.enumerate() if one.name.endswith(" of nightcast")]:
        thread.join(30)


@pytest.fixture
def home(make_workspace: Make, hook: Webhook) -> Workspace:
    return make_workspace(f'[notify]\nwebhook = "{hook.url}"\n')


def test_nothing_waits_where_everybody_is_there(home: Workspace, hook: Webhook) -> None:
    announce(home, failed("one"), failed("two"), in_flow=False)
    assert told(hook) == ["one", "two"]
    assert not Outbox(home.state).file.exists()


def test_what_nobody_took_comes_later_in_order_and_once(
    home: Workspace, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = 503
    announce(home, failed("one"), failed("two"), in_flow=False)
    assert told(hook) == ["one", "two"]
    assert caplog.text.count("127.0.0.1 answered 503; it waits") == 2
    bring_what_waits(home)
    assert "2 messages wait, the first since" in caplog.text
    hook.status, hook.got[:] = 200, []
    announce(home, failed("three"), in_flow=False)
    bring_what_waits(home)
    assert told(hook) == ["one", "two", "three"]


def test_who_is_down_is_not_asked_for_every_message(
    home: Workspace, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = 503
    announce(home, *map(failed, ["one", "two", "three", "four", "five"]), in_flow=False)
    assert told(hook) == ["one", "two", "three"]
    assert caplog.text.count("127.0.0.1 answered 503; it waits") == 5


@pytest.mark.parametrize("status", [500, 0])
def test_a_message_that_a_receiver_stumbles_over_holds_up_no_other(home: Workspace, hook: Webhook, status: int) -> None:
    hook.statuses = {"one": status}
    announce(home, failed("one"), failed("two"), in_flow=False)
    bring_what_waits(home)
    assert told(hook) == ["one", "two", "one"]
    hook.statuses.clear()
    bring_what_waits(home)
    assert (told(hook)[3:], waiting(home)) == (["one"], [])


def test_nor_do_as_many_as_make_a_receiver_seem_down(home: Workspace, hook: Webhook) -> None:
    hook.statuses = dict.fromkeys(["one", "two", "three"], 500)
    announce(home, *map(failed, ["one", "two", "three", "four"]), in_flow=False)
    assert told(hook) == ["one", "two", "three"]
    bring_what_waits(home)
    assert told(hook)[3:] == ["four", "one", "two", "three"]
    assert [text for _, text in waiting(home)] == ["one", "two", "three"]


def test_who_takes_some_in_between_is_not_down(home: Workspace, hook: Webhook) -> None:
    hook.statuses = dict.fromkeys(["one", "three", "five"], 500)
    texts = ["one", "two", "three", "four", "five", "six"]
    announce(home, *map(failed, texts), in_flow=False)
    assert told(hook) == texts


def test_nor_one_that_is_not_answered_before_the_process_ends(
    home: Workspace, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.telling.PATIENCE_SECONDS", 0.2)
    hook.awake.clear()
    announce(home, failed("one"), failed("two"), in_flow=False)
    assert waiting(home) == [("webhook", "two"), ("webhook", "one")]  # so another process begins with this one


def test_where_nothing_was_sent_the_order_stays(make_workspace: Make) -> None:
    home = make_workspace('[notify]\nwebhook = "http://127.0.0.1:1/"\n')
    announce(home, failed("one"), failed("two"), in_flow=False)
    announce(home, failed("three"), in_flow=False)
    assert [text for _, text in waiting(home)] == ["one", "two", "three"]


def test_one_receiver_waits_for_no_other(make_workspace: Make, hook: Webhook, mail: MailServer) -> None:
    mail_settings = f'smtp = "smtp://127.0.0.1:{mail.port}"\nto = ["ada@attic.example"]\n'
    home = make_workspace(f'[notify]\nwebhook = "{hook.url}"\n{mail_settings}')
    hook.status, mail.verdict = 503, "451 not now"
    announce(home, failed("one"), failed("two"), in_flow=False)
    mail.verdict, mail.letters[:] = "250 kept", []
    bring_what_waits(home)
    assert len(mail.letters) == 2
    assert waiting(home) == [("webhook", "one"), ("webhook", "two")]
    hook.status, hook.got[:] = 200, []
    bring_what_waits(home)
    assert (told(hook), len(mail.letters), waiting(home)) == (["one", "two"], 2, [])


def test_a_message_that_is_not_taken_for_what_it_says_holds_up_no_other(home: Workspace, hook: Webhook) -> None:
    hook.status = 413
    announce(home, failed("one"), failed("two"), in_flow=False)
    assert told(hook) == ["one", "two"]
    hook.status, hook.got[:] = 403, []  # this is no to us
    bring_what_waits(home)
    assert told(hook) == ["one"]
    assert len(waiting(home)) == 2


def test_nor_does_a_letter_that_a_mail_server_never_takes_or_not_now(make_workspace: Make, mail: MailServer) -> None:
    home = make_workspace(f'[notify]\nsmtp = "smtp://127.0.0.1:{mail.port}"\nto = ["ada@attic.example"]\n')
    mail.verdict = "554 too long"
    announce(home, failed("one"), failed("two"), in_flow=False)
    assert (len(mail.letters), len(waiting(home))) == (2, 2)
    for count, mail.verdict in [(4, "451 not now"), (6, "")]:
        bring_what_waits(home)
        assert (len(mail.letters), len(waiting(home))) == (count, 2)
    mail.verdict = "250 kept"
    bring_what_waits(home)
    assert (len(mail.letters), waiting(home)) == (8, [])
    names = [email.message_from_bytes(letter)["message-id"] for letter in mail.letters]
    assert len(set(names)) == 2 and names == names[:2] * 4


def test_a_kill_after_it_was_told_tells_the_same_message_again(
    home: Workspace, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill: what was sent and not forgotten is sent again, under the same name."""
    with monkeypatch.context() as killed:
        killed.setattr(Outbox, "forget", lambda *_: None)
        announce(home, failed("one"), in_flow=False)
    bring_what_waits(home)
    bring_what_waits(home)
    assert told(hook) == ["one", "one"]
    first, second = hook.names
    assert first == second


def test_a_kill_before_it_was_sent_loses_nothing(
    home: Workspace, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KillError(BaseException):
        pass

    def kill(*_: object) -> None:
        raise KillError

    with monkeypatch.context() as killed, pytest.raises(KillError):
        killed.setattr("flows.telling.send", kill)
        announce(home, failed("one"), in_flow=False)
    bring_what_waits(home)
    assert told(hook) == ["one"]


def test_flows_that_tell_at_the_same_time_lose_and_repeat_nothing(home: Workspace, hook: Webhook) -> None:
    def flow(number: int) -> None:
        for turn in range(5):
            announce(home, failed(f"{number} {turn}"), in_flow=False)
            bring_what_waits(home)

    flows = [threading.Thread(target=flow, args=(number,)) for number in range(4)]
    for one in flows:
        one.start()
    for one in flows:
        one.join()
    bring_what_waits(home)
    assert sorted(told(hook)) == sorted(f"{number} {turn}" for number in range(4) for turn in range(5))
    for number in range(4):
        assert [text for text in told(hook) if text[0] == f"{number}"] == [f"{number} {turn}" for turn in range(5)]


def test_while_another_run_tells_ours_waits_its_turn(
    home: Workspace, hook: Webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("flows.telling.PATIENCE_SECONDS", 0.1)
    with Outbox(home.state).turn("webhook", 1.0):
        announce(home, failed("one"), in_flow=False)
    assert (told(hook), waiting(home)) == ([], [("webhook", "one")])
    assert "night.failed: webhook: it is still being told something else; it waits" in caplog.text


def test_who_answers_when_nobody_waits_any_more_is_not_told_again(
    home: Workspace, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.telling.PATIENCE_SECONDS", 0.2)
    hook.awake.clear()
    announce(home, failed("one"), failed("two"), in_flow=False)
    assert len(waiting(home)) == 2
    hook.awake.set()
    until_nobody_sends()
    assert (told(hook), waiting(home)) == (["one"], [("webhook", "two")])  # the other one comes in its turn


def test_a_receiver_slower_than_a_run_gets_each_message_once(
    home: Workspace, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.telling.PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr("flows.notices.PATIENCE_SECONDS", 0.2)
    for texts in (["one"], ["one", "two"]):
        hook.awake.clear()
        announce(home, failed(texts[-1]), in_flow=False)
        bring_what_waits(home)  # what is on its way is not sent beside
        hook.awake.set()
        until_nobody_sends()
        assert (told(hook), waiting(home)) == (texts, [])


def test_who_waits_for_a_slow_receiver_s_turn_keeps_no_other_waiting(
    make_workspace: Make, hook: Webhook, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.telling.PATIENCE_SECONDS", 1.0)
    mail_settings = f'smtp = "smtp://127.0.0.1:{mail.port}"\nto = ["ada@attic.example"]\n'
    home = make_workspace(f'[notify]\nwebhook = "{hook.url}"\n{mail_settings}')
    hook.awake.clear()
    announce(home, failed("one"), in_flow=False)
    announce(home, failed("two"), in_flow=False)
    assert len(mail.letters) == 2
    assert waiting(home) == [("webhook", "one"), ("webhook", "two")]


def test_what_is_too_old_is_dropped_with_a_word(
    home: Workspace, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    box = Outbox(home.state)
    box.put(
        [message("old", timedelta(days=KEPT_DAYS, minutes=1)), message("young", timedelta(days=KEPT_DAYS, hours=-1))]
    )
    bring_what_waits(home)
    assert [text.rsplit(": ", 1)[1] for text in told(hook)] == ["young"]
    assert waiting(home) == []
    assert "nobody is ever told of nightcast.night.failed of " in caplog.text
    assert "(webhook): nobody took it for 3 days" in caplog.text


def test_no_more_than_so_many_wait_and_the_oldest_go(
    home: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outbox, "MOST", 3)
    box = Outbox(home.state)
    box.put([message("one"), message("two"), message("three")])
    assert caplog.text == ""
    box.put([message("four")])
    assert [one.text for one in box.peek()] == ["two", "three", "four"]
    assert "(webhook): more than 3 messages wait" in caplog.text


NAIVE = json.dumps(asdict(message("naive")) | {"at": "2024-03-20T00:00"}).encode()


@pytest.mark.parametrize("damage", [b"{torn", b"\xff\xfe", b"[]\n", b"{}\n", NAIVE])
def test_a_damaged_file_is_set_aside_in_one_line(
    home: Workspace, hook: Webhook, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    box = Outbox(home.state)
    box.put([message("lost")])
    box.file.write_bytes(box.file.read_bytes() + damage)
    announce(home, failed("one"), in_flow=False)
    assert told(hook) == ["one"]
    (aside,) = home.state.glob("outbox-damaged-*.jsonl")
    assert aside.read_bytes().endswith(damage)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "no message can be read from it" in line and aside.name in line


def test_where_nothing_can_wait_much_can_be_told(
    home: Workspace, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    """A file in the place of the folder stands for a full disk."""
    home.state.write_text("")
    announce(home, failed("one"), Event("failed", {}, "two", {"no": object()}), failed("three"), in_flow=False)
    assert told(hook) == ["one", "three"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("nobody was told of nightcast.night.failed: webhook: Object of type object is not JSON")
    assert "nor can it wait" in line


def test_no_secret_waits_and_the_address_is_that_of_then(
    make_workspace: Make, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "s3cret")
    home = make_workspace('[notify]\nwebhook = "http://127.0.0.1:1/${KEY}"\n')
    announce(home, failed("one"), in_flow=False)
    kept = Outbox(home.state).file.read_text()
    assert "s3cret" not in kept and "127.0.0.1" not in kept
    assert json.loads(kept)["text"] == "one"
    bring_what_waits(make_workspace(f'[notify]\nwebhook = "{hook.url}/${{KEY}}"\n'))
    assert hook.paths == ["/hook/s3cret"]


def test_the_doctor_says_who_waits(home: Workspace, tmp_path: Path, make_workspace: Make) -> None:
    assert doctor._messages(home).found == "none waits"
    box = Outbox(home.state)
    box.put([message("one", timedelta(hours=2)), message("two"), message("three", way="mail")])
    found = doctor._messages(home)
    assert found.verdict == "warning"
    assert found.found.startswith("3 wait (2 for the webhook, 1 for the mail server), the oldest since ")
    assert "`nightcast notify`" in found.remedy
    box.file.write_text("{")
    assert "no message can be read" in doctor._messages(home).found
    assert box.file.read_text() == "{"  # whoever looks changes nothing
