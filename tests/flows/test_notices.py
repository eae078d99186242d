"""Messages reach a real web server and a real mail server, tell no secret, and wait for nobody who is in trouble."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from receivers import MailServer, Webhook
from typer.testing import CliRunner

from flows.commands import app
from flows.events import Event
from flows.notices import PATIENCE_SECONDS, messages_of, send
from flows.telling import announce
from lstm_model.settings import NotifySettings
from lstm_model.workspace import Workspace

AT = datetime(2024, 3, 20, 2, 15, tzinfo=UTC)
FAILED = Event("failed", {}, "The night failed: it burst. Mend it.", {"failed": {"train": "it burst – über 9 °C"}})


def tell(
    environment: dict[str, str] | None = None, later: timedelta = timedelta(0), seconds: float = PATIENCE_SECONDS,
    **settings: object,
) -> list[str]:  # fmt: skip
    named = NotifySettings.model_validate(settings)
    messages, now = messages_of(named, FAILED, AT), AT + later
    return [fault for _, fault in send(named, messages, now, "attic", environment or {}, seconds=seconds)]


def test_a_webhook_gets_the_sentence_and_the_payload(hook: Webhook) -> None:
    assert tell(webhook=hook.url) == []
    assert hook.got == [
        {
            "event": "nightcast.night.failed",
            "text": "The night failed: it burst. Mend it.",
            "at": "2024-03-20T02:15:00+00:00",
            "workspace": "attic",
            "payload": {"failed": {"train": "it burst – über 9 °C"}},
        }
    ]


def test_a_mail_server_that_cannot_prove_who_it_is_gets_no_password(mail: MailServer, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path / "mail.pem"))
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    mail.socket = context.wrap_socket(mail.socket, server_side=True)
    server = f"smtps://ada:${{MAIL_PASSWORD}}@localhost:{mail.port}"
    named = NotifySettings(smtp=server, to=["ada@attic.example"])
    two = [*messages_of(named, FAILED, AT), *messages_of(named, FAILED, AT)]
    left = send(named, two, AT, "attic", {"MAIL_PASSWORD": "p@ss/w"})
    assert [message for message, _ in left] == two
    assert all("certificate verify failed" in fault for _, fault in left)
    assert mail.logins == []
    assert asked == ["localhost"]  # another message would fare no better


def self_signed(file: Path) -> Path:
    """A key and a certificate of `localhost` that nobody vouches for."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    now, names = datetime.now(UTC), x509.SubjectAlternativeName([x509.DNSName("localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
    certificate = made.add_extension(names, critical=False).sign(key, hashes.SHA256())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    return file


def test_mail_brings_the_same_to_everybody(mail: MailServer) -> None:
    server = f"smtp://ada%40attic:${{MAIL_PASSWORD}}@127.0.0.1:{mail.port}"
    everybody = ["ada@attic.example", "bob@attic.example"]
    assert tell(smtp=server, to=everybody, environment={"MAIL_PASSWORD": "p@ss%41/w"}) == []
    assert mail.logins == ["ada@attic p@ss%41/w"]
    letter = email.message_from_bytes(mail.letters[0], policy=email.policy.default)
    assert letter["subject"] == "nightcast, attic: a night failed"
    assert letter["to"] == "ada@attic.example, bob@attic.example"
    assert letter["from"] == "ada@attic.example"
    text = letter.get_content().replace("\r\n", "\n")
    assert text.startswith("The night failed: it burst. Mend it.\n\n{")
    assert '"train": "it burst – über 9 °C"' in text


def test_only_what_was_asked_for_is_told(make_workspace: Callable[[str], Workspace], hook: Webhook) -> None:
    promoted, routine = Event("promoted", {}, "", {}), Event("refused", {}, "", {}, routine=True)
    workspace = make_workspace(f'[notify]\nwebhook = "{hook.url}"\n')
    announce(workspace, promoted, routine, in_flow=False)
    assert hook.got == []
    announce(make_workspace(f'[notify]\nwebhook = "{hook.url}"\non = ["promoted"]\n'), promoted, FAILED, in_flow=False)
    assert hook.kinds == ["champion.promoted"]


def test_news_that_are_old_say_of_when_they_are(hook: Webhook, mail: MailServer) -> None:
    to = {"webhook": hook.url, "smtp": f"smtp://127.0.0.1:{mail.port}", "to": ["ada@attic.example"]}
    assert tell(later=timedelta(hours=7), **to) == []
    late = "Late news, of 2024-03-20 02:15 UTC: The night failed: it burst. Mend it."
    assert (hook.got[0]["text"], hook.got[0]["at"]) == (late, "2024-03-20T02:15:00+00:00")
    letter = email.message_from_bytes(mail.letters[0], policy=email.policy.default)
    assert letter.get_content().startswith(late)
    assert letter["date"].datetime == AT


def test_nobody_is_told_unless_somebody_is_named() -> None:
    assert tell() == []


def test_a_server_that_says_no_is_a_line(hook: Webhook) -> None:
    hook.status = 500
    assert tell(webhook=hook.url) == ["webhook: 127.0.0.1 answered 500"]


def test_nobody_there_is_a_line() -> None:
    with socket.socket() as taken:  # and does not listen
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        faults = tell(webhook=f"http://127.0.0.1:{port}/", smtp=f"smtp://127.0.0.1:{port}", to=["ada@attic.example"])
    assert [fault.split(":")[0] for fault in faults] == ["webhook", "mail"]
    assert all("refused" in fault for fault in faults)


def test_a_server_that_dawdles_is_left_behind(hook: Webhook) -> None:
    hook.awake.clear()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call and says nothing
        server = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        faults = tell(webhook=hook.url, smtp=server, to=["ada@attic.example"], seconds=0.5)
        assert time.monotonic() - began < 30  # the server would have slept for a minute
    assert len(faults) == 2


def test_an_answer_counts_whose_text_never_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls: list[socket.socket] = []

        def answer() -> None:
            call, _ = server.accept()
            calls.append(call)
            call.sendall(b"HTTP/1.1 200 OK\r\n\r\nand")

        thread = threading.Thread(target=answer)
        thread.start()
        assert tell(webhook=f"http://127.0.0.1:{server.getsockname()[1]}/") == []
        thread.join()
        calls[0].close()


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"webhook": "http://127.0.0.1:1/${HOOK}"}, "refers to ${HOOK}, which the environment does not set"),
        ({"webhook": "http://me:s3cret@127.0.0.1:1/"}, "the webhook's address holds a secret. Write ${MY_SECRET}"),
        ({"smtp": "smtp://me:s3cret@127.0.0.1:1", "to": ["a@b.example"]}, "notify: smtp holds a secret"),
        ({"smtp": "${MAIL}", "to": ["a@b.example"]}, "refers to ${MAIL}, which the environment does not set"),
    ],
)
def test_secrets_are_the_environment_s(settings: dict[str, object], fault: str) -> None:
    (line,) = tell(**settings)
    assert fault in line and "s3cret" not in line


def test_a_secret_is_in_no_line(hook: Webhook) -> None:
    hook.status = 403
    (line,) = tell(webhook=f"{hook.url}/${{KEY}}", environment={"KEY": "s3cret"})
    assert hook.paths == ["/hook/s3cret"]
    assert "s3cret" not in line
    assert tell(webhook="http://127.0.0.1:${KEY}/", environment={"KEY": "s3cret"}) == ["webhook: Invalid port: '***'"]


def test_a_trial_message_arrives_or_says_why_not(
    make_workspace: Callable[[str], Workspace], hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace(f'[notify]\nwebhook = "{hook.url}"\non = []\n')
    monkeypatch.setenv("NIGHTCAST_HOME", str(workspace.home))
    answer = CliRunner().invoke(app, ["notify"])
    assert (answer.exit_code, answer.output) == (0, "sent by webhook\n")
    assert hook.got[0]["text"] == "nightcast can reach you. Nothing happened."
    hook.status = 500
    assert str(CliRunner().invoke(app, ["notify"]).exception) == "webhook: 127.0.0.1 answered 500"
    make_workspace("")
    assert "nobody is named" in str(CliRunner().invoke(app, ["notify"]).exception)


def test_whatever_goes_wrong_is_a_warning(
    make_workspace: Callable[[str], Workspace], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace('[notify]\nwebhook = "http://127.0.0.1:1/${KEY}"\n')
    monkeypatch.delenv("KEY", raising=False)
    announce(workspace, FAILED, Event("failed", {}, "", {"no": object()}), in_flow=False)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2

    def burst(*_: object) -> list[str]:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("flows.telling.send", burst)
    announce(workspace, FAILED, in_flow=False)
    lines = [record.getMessage() for record in caplog.records]
    assert "nobody was told of nightcast.night.failed: RuntimeError: can't start new thread; it waits" in lines[2]
    assert all(line.startswith("nobody was told of nightcast.night.failed: ") for line in lines)
