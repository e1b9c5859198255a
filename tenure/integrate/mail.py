"""Mail about alerts: plain text, with a picture of the measure, over SMTP with TLS.

A channel reads `smtp://user@host:587?from=a@x&to=b@y&to=c@y&password=$TENURE_NAME`. TLS is taken up by STARTTLS and
demanded; `smtps://` begins with it. `tls=none` sends without, for a relay on the same machine. `ca=/srv/ca.pem` trusts
what that file vouches for instead of what the machine trusts.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from tenure.integrate import pictures
from tenure.integrate.answers import Answer
from tenure.integrate.rounds import CannotSend
from tenure.records.base import moment_of
from tenure.records.incidents import Told
from tenure.records.webhooks import Message

log = logging.getLogger("tenure.mail")
SCHEMES = ("smtp://", "smtps://")
PORTS = {"smtp": 587, "smtps": 465}
ACCEPTED = 250
PICTURE = "measure.png"


class Server(NamedTuple):
    """Where mail is handed in, and between whom it goes. `tls`: from the start, by STARTTLS, or not at all."""

    host: str
    port: int
    tls: str  # start | starttls | none
    user: str
    password: str
    sender: str
    to: tuple[str, ...]
    ca: str | None = None


def server_of(url: str, secret: Callable[[str], str] = str) -> Server:
    """A channel's URL, taken apart; `secret` reads a password that is a variable's name. Raises CannotSend."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise CannotSend("The channel's URL cannot be read: its port must be a number.") from None
    asked = parse_qs(parts.query)
    sender, to = (
        "".join(asked.get("from", [])[:1]),
        tuple(name for one in asked.get("to", []) for name in one.split(",")),
    )
    wrong = [name for name in (sender, *to) if "@" not in parseaddr(name)[1]]
    if not parts.hostname or not to or wrong:
        raise CannotSend(
            "The channel's URL must name a host, `from` and `to`: smtp://host?from=a@x.example&to=b@y.example"
        )
    tls = "start" if parts.scheme == "smtps" else "none" if asked.get("tls") == ["none"] else "starttls"
    password = secret(asked["password"][0]) if "password" in asked else unquote(parts.password or "")
    user = unquote(parts.username or "")
    if password and tls == "none":
        raise CannotSend("A password leaves only under TLS. Take `tls=none` off the channel's URL.")
    ca = "".join(asked.get("ca", [])[:1]) or None
    return Server(parts.hostname, port or PORTS[parts.scheme], tls, user, password, sender, to, ca)


def composed(server: Server, one: Message, told: Told) -> EmailMessage:
    """The mail itself. Its id is the message's, so that one that comes twice can be told."""
    made = EmailMessage()
    made["Subject"] = " ".join(told.subject.split())
    made["From"] = server.sender
    made["To"] = ", ".join(server.to)
    made["Date"] = format_datetime(moment_of(one.created_at))
    made["Message-ID"] = f"<{one.message_id}@tenure>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    made.set_content(told.text)
    if told.series is not None:
        made.add_attachment(pictures.png(told.series), maintype="image", subtype="png", filename=PICTURE)
    return made


def post(server: Server, one: Message, told: Told, *, limit_s: float) -> Answer:
    """Hand a mail in and say what came of it; whatever goes wrong is an answer too."""
    begun = time.monotonic()
    try:
        _hand_in(server, composed(server, one, told), limit_s)
        return Answer(ACCEPTED, None, _since(begun))
    except smtplib.SMTPRecipientsRefused as refused:
        codes = sorted({code for code, _ in refused.recipients.values()})
        return Answer(codes[0], "The mail server took none of the recipients.", _since(begun))
    except smtplib.SMTPResponseException as refused:
        return Answer(refused.smtp_code, f"The mail server refused it with {refused.smtp_code}.", _since(begun))
    except smtplib.SMTPNotSupportedError:
        return Answer(
            None, f"{server.host} offers no STARTTLS or no sign-in, and nothing leaves without.", _since(begun)
        )
    except ssl.SSLCertVerificationError as refused:
        return Answer(
            None, f"The certificate of {server.host} was not accepted: {refused.verify_message}.", _since(begun)
        )
    except (OSError, smtplib.SMTPException):
        return Answer(None, f"{server.host}:{server.port} did not take it within {limit_s:g} s.", _since(begun))


def _hand_in(server: Server, made: EmailMessage, limit_s: float) -> None:
    if server.tls == "start":
        line: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=limit_s, context=ssl.create_default_context(cafile=server.ca)
        )
    else:
        line = smtplib.SMTP(server.host, server.port, timeout=limit_s)
    with line:
        if server.tls == "starttls":
            line.starttls(context=ssl.create_default_context(cafile=server.ca))
        if server.user and server.password:
            line.login(server.user, server.password)
        refused = line.send_message(made)
        if refused:
            log.warning("the mail server %s took only some of the recipients", server.host)


def _since(begun: float) -> int:
    return int((time.monotonic() - begun) * 1000)
