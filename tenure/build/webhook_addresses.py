"""Where a webhook may go: public addresses over TLS, and what the operator allows besides.

An address in a URL proves little: a name may mean another address a second later. So these rules are asked twice: of
the URL when a webhook is made, and of the address that is really connected to, each time a message is sent.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import NamedTuple, NoReturn, TypeAlias
from urllib.parse import SplitResult, urlsplit

from tenure.build.limits import shown
from tenure.errors import CannotStart, InvalidInput

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

URL_LENGTH = 2048
HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]{0,252}[a-z0-9_])?\.?", re.IGNORECASE)
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215


class Target(NamedTuple):
    """A webhook's URL, taken apart. `path` is what is asked for, with its query."""

    scheme: str
    host: str
    port: int
    path: str


class Allowed(NamedTuple):
    """What may be reached although it is not public, and without TLS: hosts by name, networks by address."""

    hosts: frozenset[str]
    networks: tuple[Network, ...]

    def may_reach(self, host: str, address: str, *, plain: bool) -> bool:
        """Whether a message for `host` may be sent to this address; `plain` means without TLS."""
        listed = _known_as(host) in self.hosts or self._holds(address)
        return listed or (not plain and is_public(address))

    def _holds(self, address: str) -> bool:
        ip = _plain_address(address)
        return any(ip.version == network.version and ip in network for network in self.networks)


def allowed_of(setting: str) -> Allowed:
    """The setting `webhook_allow` as a rule. Raises CannotStart naming the entry that is neither host nor network.

    >>> allowed_of("hooks.internal, 10.0.0.0/8").may_reach("10.1.2.3", "10.1.2.3", plain=True)
    True
    """
    hosts, networks = set(), []
    for entry in (part.strip() for part in setting.split(",")):
        if not entry:
            continue
        try:
            networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            if not HOST.fullmatch(entry):
                raise CannotStart(
                    f"The setting webhook_allow must list hosts and networks, separated by commas, such as "
                    f"hooks.internal,10.0.0.0/8. Got {shown(entry)}."
                ) from None
            hosts.add(_known_as(entry))
    return Allowed(frozenset(hosts), tuple(networks))


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet: not of this machine, its networks, or no single machine at all.

    >>> [is_public(one) for one in ("93.184.215.14", "127.0.0.1", "::ffff:10.0.0.1", "169.254.169.254", "224.0.0.1")]
    [True, False, False, False, False]
    """
    ip = _plain_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in NAT64_LOCAL or ip.is_site_local:
            return False
        inside = ip.sixtofour or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else None)
        if inside is not None:  # a tunnel ends at the IPv4 address that is written into it
            return is_public(str(inside))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


def check_url(url: str, allowed: Allowed) -> None:
    """Refuse a URL to which nothing will ever be sent. What a name means is looked up, and checked, at sending."""
    target = parse_url(url)
    host, plain = target.host, target.scheme == "http"
    address = _literal(host)
    if plain and not (allowed.hosts or allowed.networks):
        _refuse(url, "it must begin with https://. Plain http is for hosts of the setting webhook_allow")
    if address is not None and not allowed.may_reach(host, str(address), plain=plain):
        _refuse(url, f"the address {address} is not public. The operator can allow it by the setting webhook_allow")
    own = _known_as(host) == "localhost" or _known_as(host).endswith(".localhost")
    if own and not (allowed.hosts or allowed.networks):
        _refuse(url, "it means the server itself. The operator can allow that by the setting webhook_allow")


def parse_url(url: str) -> Target:
    """A webhook's URL, taken apart. Raises InvalidInput for what cannot be one."""
    if not url.strip():
        raise InvalidInput("Webhook URL cannot be empty or just whitespace.", where="url")
    if len(url) > URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        _refuse(url, f"it must be at most {URL_LENGTH} ASCII characters without spaces; write others percent-encoded")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        _refuse(url, "Invalid webhook URL: it cannot be read. It must look like https://example.com/path")
    if parts.scheme not in ("https", "http"):
        _refuse(url, "Invalid webhook URL scheme: it must begin with https://")
    if parts.username is not None or "\\" in parts.netloc:
        _refuse(url, "it must hold no name and password, since everybody may read it. Use the secret")
    if _literal(host) is None and not HOST.fullmatch(host):
        _refuse(url, "it must name a host, such as https://example.com/path")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), _path(parts))


def host_of(url: str) -> str:
    """What the log and the audit may tell of an address: whose it is, without the path, which may be a secret."""
    return urlsplit(url).hostname or ""


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _literal(host: str) -> Address | None:
    """The address that a host is written as, in any of the spellings that an operating system takes."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # 127.1, 0x7f000001, 2130706433
    except (OSError, ValueError):
        return None


def _plain_address(address: str) -> Address:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


def _known_as(host: str) -> str:
    return host.lower().rstrip(".")


def _refuse(url: str, why: str) -> NoReturn:
    raise InvalidInput(f"Invalid value {shown(url)} for parameter 'url' supplied: {why}.", where="url")
