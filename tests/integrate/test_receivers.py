"""One connection to a receiver: where it may go, what it takes for an answer, and when it gives up waiting."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tenure.build.webhook_addresses import allowed_of
from tenure.integrate import receivers
from tenure.integrate.receivers import Answer, Line, headers_of

from .receiver import Receiver, receiving

NOTHING, HERE = allowed_of(""), allowed_of("127.0.0.1")


def ask(url: str, allowed: receivers.Allowed = HERE, limit_s: float = 5.0, tls: ssl.SSLContext | None = None) -> Answer:
    with Line(url, allowed, limit_s, tls) as line:
        return line.post(headers_of("id", "{}", None, 1), b"{}")


def named(receiver: Receiver, host: str, scheme: str = "https") -> str:
    """The receiver's address under another name."""
    return receiver.url.replace("127.0.0.1", host).replace("http:", f"{scheme}:")


def means(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Every name means these addresses; the list holds the names that were looked up."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    real = socket.getaddrinfo

    def only_names(host: str, port: int, *args: int, **more: int) -> object:
        return look_up(host, port) if host.endswith(".example") else real(host, port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", only_names)
    return asked


def test_this_machine_is_not_reached_unless_it_is_allowed(receiver: Receiver) -> None:
    refused = ask(named(receiver, "127.0.0.1"), NOTHING)
    assert refused.status is None
    assert "no public address" in str(refused.problem)
    assert "Without TLS" in str(ask(receiver.url, NOTHING).problem)
    assert receiver.got == []
    assert ask(receiver.url).status == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
def test_a_name_that_means_a_private_address_is_not_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    means(monkeypatch, address)
    connected: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *args, **_: connected.append(args))
    assert "no public address" in str(ask(named(receiver, "rebound.example"), NOTHING).problem)
    assert connected == []


def test_a_name_that_changes_its_meaning_is_looked_up_once(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer is public, the second would be this machine: only the first is ever connected to."""
    asked = means(monkeypatch, "93.184.215.14")
    connected: list[str] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        connected.append(address[0])
        means(monkeypatch, "127.0.0.1")
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    assert "Nobody answers" in str(ask(named(receiver, "rebound.example"), NOTHING).problem)
    assert (asked, connected) == (["rebound.example"], ["93.184.215.14"])


def test_the_address_that_is_connected_to_is_what_counts(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the look-up said: a connection that ends up at this machine is closed before a byte is sent."""
    means(monkeypatch, "93.184.215.14")
    real, port = socket.create_connection, int(receiver.url.rsplit(":", 1)[1].split("/")[0])
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: real(("127.0.0.1", port)))
    assert "no public address" in str(ask(named(receiver, "rebound.example"), NOTHING).problem)
    assert receiver.got == []


def test_only_the_allowed_ones_of_several_addresses_are_tried(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    means(monkeypatch, "10.0.0.1", "::1", "127.0.0.1")
    assert ask(named(receiver, "several.example", "http")).status == 200
    assert receiver.got[0][0]["host"].startswith("several.example:")


def test_a_name_that_means_nothing_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert ask("https://nowhere.example/").problem == "The name nowhere.example cannot be looked up."


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert ask(receiver.url).status == 200


def test_a_redirect_is_an_answer_and_not_followed(receiver: Receiver) -> None:
    receiver.answers, receiver.headers = [302], {"location": receiver.url}
    answer = ask(receiver.url)
    assert answer.status == 302
    assert "Redirects are not followed" in str(answer.problem)
    assert len(receiver.got) == 1


def test_how_long_a_receiver_wants_to_be_left_alone_is_read(receiver: Receiver) -> None:
    receiver.answers, receiver.headers = [503, 503, 503], {"retry-after": "120"}
    assert ask(receiver.url).retry_after_s == 120
    receiver.headers = {"retry-after": "999999999"}
    assert ask(receiver.url).retry_after_s == receivers.LONGEST_WAIT_S
    receiver.headers = {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}
    assert ask(receiver.url).retry_after_s == 0


def test_a_connection_is_kept_for_several_messages(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    real = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda *args, **more: opened.append(args) or real(*args, **more))
    with Line(receiver.url, HERE, 5.0) as line:
        assert [line.post(headers_of(f"{n}", "{}", "s", n), b"{}").status for n in range(3)] == [200] * 3
    assert (receiver.ids(), len(opened)) == (["0", "1", "2"], 1)


def speaking(words: bytes, *, every_s: float = 0.0) -> Iterator[str]:
    """Something that is not a receiver: it says `words`, a byte at a time if it should take long."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        done = threading.Event()

        def serve() -> None:
            taken, _ = listening.accept()
            with taken:
                for piece in (words,) if not every_s else (words[n : n + 1] for n in range(len(words))):
                    try:
                        taken.sendall(piece)
                    except OSError:
                        return
                    if every_s and done.wait(every_s):
                        return
                if not every_s:
                    taken.shutdown(socket.SHUT_WR)
                    taken.recv(65536)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        done.set()
        thread.join(10)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (b"", "hung up|not HTTP"),
        (b"220 mail.example ESMTP\r\n", "not HTTP"),
        (b"HTTP/1.1 999999 x\r\n\r\n", "not HTTP"),
    ],
)
def test_what_is_not_http_is_said_so(words: bytes, says: str) -> None:
    for url in speaking(words):
        answer = ask(url)
        assert answer.status is None
        assert any(part in str(answer.problem) for part in says.split("|"))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_time_limit_is_for_the_whole_answer(scheme: str) -> None:
    """A receiver that always has one more byte to say is not waited for; nor is one that never ends its handshake."""
    words = b"HTTP/1.1 200 " + b"x" * 1000 if scheme == "http" else b"\x16\x03\x03\x3f\xff" + b"\x02" * 1000
    for url in speaking(words, every_s=0.02):
        answer = ask(url.replace("http:", f"{scheme}:"), limit_s=0.2)
        assert "did not answer within 0.2 s" in str(answer.problem)
        assert answer.took_ms < 3000


def test_a_body_without_end_is_not_read(receiver: Receiver) -> None:
    body = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n" + b"x" * 300_000
    for url in speaking(body):
        assert ask(url).status == 200


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody but itself vouches for, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "receiver.pem"
    plain = serialization.NoEncryption()
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return pem


def test_a_certificate_is_checked(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    with receiving(serving) as receiver:
        refused = ask(receiver.url)
        assert "was not accepted: self-signed certificate" in str(refused.problem)
        assert receiver.got == []
        trusting = ssl.create_default_context(cafile=str(pem))
        assert ask(receiver.url, tls=trusting).status == 200
