"""Send Email against real mail servers, with real TLS."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.components.errors import NodeCancelled
from app.components.registry import registry
from app.providers.egress import EgressGuard, EgressPolicy, Own
from app.sdk import testing
from tests.support.http_servers import Authority
from tests.support.mail_servers import GREETING, Mailbox, mail_server, talking

EMAIL = registry().get("email.send")
PASSWORD = f"CANARY-{secrets.token_hex(12)}"
BYTES = bytes(range(256))


@pytest.fixture(scope="module")
def shared(authority: Authority) -> Iterator[Mailbox]:
    with mail_server(authority.server_context(), PASSWORD) as found:
        yield found


@pytest.fixture
def box(shared: Mailbox) -> Mailbox:
    """A server with STARTTLS and a login."""
    for one in (shared.taken, shared.logins, shared.refuses, shared.secure):
        one.clear()
    return shared


def send(port: int, ca: str = "", password: Any = PASSWORD, **config: Any) -> testing.Result:
    options = {name: config.pop(name) for name in ("egress", "cancelled") if name in config}
    settings = {"host": "localhost", "port": port, "username": "flow", "ca": ca,
                "from": "Flow <flow@example.com>", "to": "ann@example.com", "text": "Hello",
                **config}
    held = {"password": password} if password else {}
    return testing.run(EMAIL, settings, secrets=held, **options)


def code(result: testing.Result) -> str | None:
    assert result.leaks == ()
    return result.error.code if result.error else None


def test_a_letter_over_starttls(box: Mailbox, authority: Authority) -> None:
    result = send(
        box.port, authority.pem, to=["Ann Ü <ann@example.com>, bob@example.com"],
        cc=["cy@example.com"], bcc=["dee@example.com"], reply_to=["help@example.com"],
        subject="Grüße", text="Hi\n.\n.dots\nÜ", html="<p>Ü</p>",
        attachments=[
            {"filename": "/etc/ä.bin", "base64": base64.b64encode(BYTES).decode()},
            {"filename": "a.csv", "content_type": "text/csv; charset=utf-8", "text": "ü;1\n"},
        ])
    assert code(result) is None
    assert result.outputs["accepted"] == 4
    assert result.outputs["refused"] == []
    assert box.secure == [True]
    assert box.logins == [("flow", PASSWORD)]
    assert set(box.taken[0].rcpt_tos) == {
        f"{name}@example.com" for name in ("ann", "bob", "cy", "dee")}
    letter = box.letters[0]
    assert letter["From"] == "Flow <flow@example.com>"
    assert letter["To"] == "Ann Ü <ann@example.com>, bob@example.com"
    assert letter["Subject"] == "Grüße"
    assert letter["Reply-To"] == "help@example.com"
    assert letter["Bcc"] is None
    assert "dee@" not in str(letter)
    assert letter["Message-ID"] == result.outputs["message_id"]
    assert letter["Message-ID"].endswith("@example.com>")
    plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().splitlines() == ["Hi", ".", ".dots", "Ü"]
    assert html.get_content().strip() == "<p>Ü</p>"
    first, second = letter.iter_attachments()
    assert (first.get_filename(), first.get_content()) == ("ä.bin", BYTES)
    assert second.get_content_type() == "text/csv"
    assert second.get_content() == "ü;1\n"
    assert result.revealed == (("password", f"smtp://localhost:{box.port}"),)


def test_tls_from_the_start(authority: Authority) -> None:
    with mail_server(authority.server_context(), PASSWORD, implicit=True) as found:
        assert code(send(found.port, authority.pem, security="tls")) is None
        assert found.logins == [("flow", PASSWORD)]
        assert len(found.taken) == 1


def test_without_tls_only_where_it_is_asked_for_and_never_with_a_password() -> None:
    with mail_server(None) as found:
        assert code(send(found.port, password="")) == "smtp_no_starttls"
        assert code(send(found.port)) == "smtp_no_starttls"
        assert code(send(found.port, security="none")) == "login_needs_tls"
        assert found.taken == []
        assert code(send(found.port, password="", security="none")) is None
        assert found.secure == [False]


def test_who_is_on_the_other_end(box: Mailbox, authority: Authority) -> None:
    assert code(send(box.port)) == "tls_not_trusted"
    assert code(send(box.port, authority.pem, host="127.0.0.1")) == "tls_not_trusted"
    assert code(send(box.port, "no certificate")) == "ca_not_valid"
    assert code(send(box.port, authority.pem, security="tls")) in ("tls_failed", "connection_lost")
    assert box.logins == []


def test_passwords(box: Mailbox, authority: Authority) -> None:
    for password, failure in (("CANARY-wrong", "smtp_denied"), ("CANARY\r\nRSET",
                              "secret_not_usable"), ("CANARY-ü", "secret_not_usable")):
        assert code(send(box.port, authority.pem, password)) == failure
    bound = testing.make_secret(PASSWORD, allowed_hosts=["smtp.example.com"])
    assert code(send(box.port, authority.pem, bound)) == "secret_host_denied"
    bound = testing.make_secret(PASSWORD, allowed_hosts=[f"localhost:{box.port}"])
    assert code(send(box.port, authority.pem, bound)) is None
    # The server wants a login, and says so.
    assert code(send(box.port, authority.pem, "")) == "smtp_sender_refused"


@pytest.mark.parametrize(
    ("config", "failure"),
    [
        ({"subject": "a\r\nBcc: evil@example.com"}, "mail_header_not_valid"),
        ({"subject": "a\u2028b"}, "mail_header_not_valid"),
        ({"from": "a@example.com\r\nBcc: evil@example.com"}, "mail_address_not_valid"),
        ({"from": "a@example.com, b@example.com"}, "mail_address_not_valid"),
        ({"to": ["ann@example.com\nBcc: evil@example.com"]}, "mail_address_not_valid"),
        ({"to": ["ann@example.com> RCPT TO:<evil@example.com"]}, "mail_address_not_valid"),
        ({"to": ["\"a b\"@example.com"]}, "mail_address_not_valid"),
        ({"to": "ann"}, "mail_address_not_valid"),
        ({"to": [7]}, "mail_address_not_valid"),
        ({"to": []}, "mail_address_not_valid"),
        ({"to": ["a@x.org, " * 101]}, "mail_address_not_valid"),
        ({"attachments": ["x"]}, "file_not_valid"),
        ({"attachments": [{"base64": "%"}]}, "body_not_base64"),
        ({"attachments": [{"text": "x" * 11_000_000}] * 2}, "mail_too_large"),
        ({"host": "a b"}, "url_not_valid"),
        ({"host": "127.1"}, "host_ambiguous"),
        ({"host": "169.254.169.254"}, "egress_refused"),
        ({"host": "127.0.0.1", "port": 9}, "connection_failed"),
    ],
    ids=range(18),
)
def test_letters_that_are_not_sent(box: Mailbox, config: Any, failure: str) -> None:
    assert code(send(**{"port": box.port, **config})) == failure
    assert box.taken == []


def test_names_and_files_can_t_begin_a_header(box: Mailbox, authority: Authority) -> None:
    result = send(box.port, authority.pem,
                  attachments=[{"filename": 'a"\r\nX-Evil: 1\r\n\r\n', "text": "x"}],
                  **{"from": '"Evil, Inc. \\"x\\"" <flow@example.com>'})
    assert code(result) is None
    assert b"X-Evil: 1\r\n\r\n" not in box.taken[0].content  # type: ignore[operator]
    assert box.letters[0]["X-Evil"] is None
    assert [one["X-Evil"] for one in box.letters[0].iter_attachments()] == [None]


def test_what_a_server_refuses(box: Mailbox, authority: Authority) -> None:
    box.refuses["bob@example.com"] = f"550 no such user {PASSWORD}"
    both = {"to": ["ann@example.com", "bob@example.com"]}
    result = send(box.port, authority.pem, **both)
    assert code(result) is None
    assert (result.outputs["accepted"], result.outputs["refused"]) == (1, ["bob@example.com"])
    for what, answer, failure, retryable in (
        ("ann@example.com", f"550 {PASSWORD}", "smtp_recipient_refused", False),
        ("ann@example.com", "451 greylisted", "smtp_recipient_refused", False),
        ("MAIL", f"550 {PASSWORD}", "smtp_sender_refused", False),
        ("MAIL", "451 later", "smtp_busy", True),
        ("DATA", f"554 {PASSWORD}", "smtp_refused", False),
        ("DATA", "452 full", "smtp_busy", True),
        ("DATA", "552 too large", "mail_too_large", False),
    ):
        box.refuses[what] = answer
        failed = send(box.port, authority.pem, **both)
        assert (code(failed), failed.error and failed.error.retryable) == (failure, retryable)
        del box.refuses[what]
    del box.refuses["bob@example.com"]
    box.refuses["ann@example.com"] = "451 greylisted"
    assert code(send(box.port, authority.pem)) == "smtp_busy"


def test_servers_that_break(authority: Authority) -> None:
    plain = {"password": "", "security": "none", "timeout": 1}

    def script(**answers: str | None) -> Any:
        def answer(line: str) -> str | None:
            verb = line.partition(" ")[0].partition(":")[0].upper()
            return answers.get(verb, {"GREETING": "220 hi\r\n", "EHLO": "250 hi\r\n",
                                      "MAIL": "250 ok\r\n", "RCPT": "250 ok\r\n",
                                      "DATA": "354 go\r\n"}.get(verb, ""))
        return answer

    for answers, failure in (
        ({"GREETING": f"{PASSWORD}\r\n"}, "smtp_broken"),
        ({"GREETING": f"554 {PASSWORD}\r\n"}, "smtp_refused"),
        ({"GREETING": "421 busy\r\n"}, "smtp_busy"),
        ({"GREETING": None}, "smtp_broken"),
        ({"GREETING": ""}, "smtp_timeout"),
        ({"EHLO": "x" * 100_000}, "smtp_refused"),
        ({"DATA": None}, "smtp_broken"),
        # The letter went out; whether it was taken nobody knows.
        ({".": None}, "smtp_unsure"),
        ({}, "smtp_unsure"),
    ):
        with talking(script(**answers)) as (port, _):
            began = time.monotonic()
            result = send(port, **plain)
            assert code(result) == failure, answers
            assert time.monotonic() - began < 3
            assert PASSWORD not in str(result.error)


def test_a_greeting_tells_nothing_of_the_machine() -> None:
    with talking(lambda line: "220 hi\r\n" if line == GREETING else "") as (port, said):
        send(port, password="", security="none", timeout=0.5)
        assert said == ["ehlo [127.0.0.1]"]


def test_what_a_server_says_before_tls_counts_for_nothing(authority: Authority) -> None:
    """An answer slipped in behind the one to STARTTLS (CVE-2011-0411's other way round)."""
    answers = {GREETING: "220 hi\r\n", "ehlo": "250-hi\r\n250 STARTTLS\r\n",
               "STARTTLS": "220 go\r\n250-hi\r\n250 AUTH PLAIN\r\n"}
    with talking(lambda line: answers.get(line.partition(" ")[0], "")) as (port, said):
        assert code(send(port, authority.pem, timeout=1)) in (
            "tls_failed", "smtp_timeout", "connection_lost")
        assert not any("AUTH" in line for line in said)


def test_the_guard_and_the_end_of_a_run(box: Mailbox) -> None:
    own = EgressGuard(EgressPolicy(own=(Own("127.0.0.1", box.port),)))
    assert code(send(box.port, egress=own)) == "egress_refused"
    with talking(lambda _: "") as (port, _):
        cancelled = testing.LocalCancellation()
        threading.Timer(0.3, cancelled.cancel).start()
        began = time.monotonic()
        with pytest.raises(NodeCancelled):
            send(port, cancelled=cancelled)
        assert time.monotonic() - began < 2
