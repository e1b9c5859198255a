"""Channels of alerts: a mailbox over SMTP with STARTTLS, and whatever apprise reaches; both by the outbox."""

from __future__ import annotations

import email
import email.policy
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tenure.integrate import mail, pictures
from tenure.integrate.notices import NoticeSender
from tenure.integrate.rounds import CannotSend
from tenure.monitor import notices, wordings
from tenure.records.base import Instant
from tenure.records.incidents import Point, Series
from tenure.records.webhooks import Delivery
from tenure.store import audit, outbox
from tenure.store.ground import Ground

from ..conftest import free_port, wait_until
from .conftest import NOW
from .receiver import Receiver
from .test_receivers import certificate

LOADING = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""apprise loads all of its services, some of which lean on what Python is about to remove."""
USER, PASSWORD = "tenure", "a secret of the mailbox"


@dataclass
class Postbox:
    """A mail server on this machine. `refuse` is what it says to a mail instead of taking it."""

    ca: str
    port: int = 0
    refuse: list[str] = field(default_factory=list)
    got: list[email.message.EmailMessage] = field(default_factory=list)
    users: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuse:
            return self.refuse.pop(0)
        self.encrypted.append(session.ssl is not None)
        made = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(made, email.message.EmailMessage)
        self.got.append(made)
        return "250 taken"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.users.append(data.login)
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@pytest.fixture
def postbox(tmp_path: Path) -> Iterator[Postbox]:
    pem = certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem)
    made = Postbox(ca=str(pem))
    made.port = free_port()
    server = Controller(
        made,
        "127.0.0.1",
        made.port,
        server_hostname="mail.example",
        tls_context=tls,
        require_starttls=True,
        auth_required=True,
        authenticator=made.authenticate,
    )
    server.start()
    yield made
    server.stop()


class Channel:
    """A channel by its URL, tried with the example."""

    def __init__(self, ground: Ground, url: str) -> None:
        self.ground = replace(ground, settings=msgspec.structs.replace(ground.settings, alert_channels={"desk": url}))
        self.sender = NoticeSender(jitter=lambda: 0.5)

    def try_out(self) -> None:
        settings = self.ground.settings
        self.ground.database.write(lambda tx: notices.try_out(tx, settings, "desk", by="ann", now=NOW))

    def send(self, now: int = NOW) -> Delivery:
        wait_until(
            lambda: not self.sender.send_due(self.ground, Instant(now)) and not self.sender.busy(), 20, "it was sent"
        )
        with self.ground.database.reading() as tx:
            return outbox.log(tx, "desk", limit=1, channel=outbox.NOTICE)[0]


def url_of(postbox: Postbox, more: str = "") -> str:
    return f"smtp://{USER}@127.0.0.1:{postbox.port}?from=tenure@a.example&to=ann@a.example,bo@a.example&ca={postbox.ca}{more}"


def test_a_mail_comes_with_plain_text_and_a_picture(
    each_ground: Ground, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_MAIL", PASSWORD)
    channel = Channel(each_ground, url_of(postbox, "&password=$TENURE_MAIL"))
    channel.try_out()
    sent = channel.send()
    assert (sent.state, [one.status_code for one in sent.attempts]) == ("sent", [250])
    [made] = postbox.got
    assert made["Subject"] == "Alert (warning): a-model-to-try: a column (drift)"
    assert made["To"] == "ann@a.example, bo@a.example"
    assert made["Message-ID"] == f"<{sent.message_id}@tenure>"
    text, picture = made.iter_parts()
    assert "psi_excess 0.31, above 0.1" in text.get_content()
    assert picture.get_content_type() == "image/png"
    assert picture.get_content()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (postbox.users, postbox.encrypted) == ([USER.encode()], [True])
    assert PASSWORD not in sent.body
    with each_ground.database.reading() as tx:
        assert [event.action for event in audit.search(tx, action="alert.")] == ["alert.channel_tried"]


def test_a_mail_that_was_not_taken_is_sent_again_with_the_same_id(
    ground: Ground, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_MAIL", PASSWORD)
    channel = Channel(ground, url_of(postbox, "&password=$TENURE_MAIL"))
    postbox.refuse.append("451 later")
    channel.try_out()
    first = channel.send()
    assert (first.state, first.attempts[0].status_code) == ("waiting", 451)
    assert first.next_at is not None
    second = channel.send(first.next_at)
    assert (second.state, len(second.attempts)) == ("sent", 2)
    assert postbox.got[0]["Message-ID"] == f"<{first.message_id}@tenure>"


def test_a_certificate_that_nobody_vouches_for_gets_no_mail(
    ground: Ground, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_MAIL", PASSWORD)
    channel = Channel(ground, url_of(postbox, "&password=$TENURE_MAIL").replace("&ca=", "&other="))
    channel.try_out()
    problem = channel.send().attempts[0].problem
    assert problem is not None
    assert problem.startswith("The certificate of 127.0.0.1 was not accepted")
    assert postbox.got == postbox.users == []


def test_a_variable_that_is_not_set_is_said_and_nothing_leaves(
    ground: Ground, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TENURE_MAIL", raising=False)
    channel = Channel(ground, url_of(postbox, "&password=$TENURE_MAIL"))
    channel.try_out()
    assert "TENURE_MAIL is not set" in (channel.send().attempts[0].problem or "")
    assert postbox.got == []


@pytest.mark.parametrize(
    "url",
    [
        "smtp://127.0.0.1",
        "smtp://127.0.0.1?from=a@b.example",
        "smtp://127.0.0.1?from=nobody&to=a@b.example",
        "smtp://127.0.0.1:x?from=a@b.example&to=a@b.example",
        "smtp://u:p@127.0.0.1?from=a@b.example&to=a@b.example&tls=none",
    ],
)
def test_a_mailbox_that_cannot_be_is_refused_in_words(url: str) -> None:
    with pytest.raises(CannotSend, match="channel"):
        mail.server_of(url)


def test_what_would_be_another_header_is_a_subject(ground: Ground) -> None:
    told = msgspec.structs.replace(wordings.example("http://x"), subject="a\r\nBcc: all@a.example")
    server = mail.server_of("smtp://127.0.0.1?from=a@b.example&to=c@d.example")
    ground.database.write(
        lambda tx: notices.try_out(tx, Channel(ground, "json://x").ground.settings, "desk", by="a", now=NOW)
    )
    with ground.database.reading() as tx:
        [one] = outbox.due(tx, NOW, without=[], limit=1, channel=outbox.NOTICE)
    made = mail.composed(server, one, told)
    assert made["Bcc"] is None
    assert made["Subject"] == "a Bcc: all@a.example"


@LOADING
def test_apprise_reaches_what_it_is_told_to(
    ground: Ground, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_CHAT", receiver.url.replace("http://", "json://"))
    channel = Channel(ground, "$TENURE_CHAT")
    channel.try_out()
    assert channel.send().state == "sent"
    [body] = receiver.bodies()
    told = msgspec.json.decode(body)
    assert told["title"] == "Alert (warning): a-model-to-try: a column (drift)"
    assert "psi_excess 0.31" in told["message"]


@LOADING
def test_what_apprise_could_not_deliver_waits(ground: Ground, receiver: Receiver) -> None:
    receiver.answers += [500]
    channel = Channel(ground, receiver.url.replace("http://", "json://"))
    channel.try_out()
    sent = channel.send()
    assert (sent.state, sent.attempts[0].problem) == ("waiting", "apprise could not deliver it.")
    assert channel.send(sent.next_at or 0).state == "sent"


def test_a_picture_shows_what_is_beyond_and_escapes_what_it_names() -> None:
    points = [Point(start_at=day, end_at=day + 1, value=value) for day, value in enumerate((0.1, None, 0.5))]
    drawn = pictures.svg(Series(alert_id="-", measure="<b>&", threshold=0.3, direction="above", points=points))
    assert drawn.count("<circle") == 2
    assert drawn.count(f'fill="{pictures.BAD}"/>') == 1
    assert "&lt;b&gt;&amp;" in drawn


@pytest.mark.parametrize("values", [[], [0.5], [0.0, 0.0], [float("inf"), 1.0], [None]])
def test_a_picture_of_too_little_is_a_picture(values: list[float | None]) -> None:
    points = [Point(start_at=day, end_at=day + 1, value=value) for day, value in enumerate(values)]
    made = Series(alert_id="-", measure="m", threshold=0.0, direction="below", points=points)
    assert "nan" not in pictures.svg(made)
    assert "inf" not in pictures.svg(made)
    assert pictures.png(made)[:4] == b"\x89PNG"
