"""Where a webhook may go."""

from __future__ import annotations

import pytest

from tenure.build.webhook_addresses import allowed_of, check_url, host_of, is_public
from tenure.errors import CannotStart, InvalidInput

NOTHING = allowed_of("")
INSIDE = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.251", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1", "2001::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1", "2002:7f00:1::",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_of_this_machine_or_its_networks_is_not_public(address: str) -> None:
    assert not is_public(address)
    assert not NOTHING.may_reach("example.com", address, plain=False)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:4700::6810:84e5", "::ffff:93.184.215.14", "64:ff9b::1.1.1.1"]
)
def test_an_address_of_the_internet_is_public_and_takes_only_tls(address: str) -> None:
    assert is_public(address)
    assert NOTHING.may_reach("example.com", address, plain=False)
    assert not NOTHING.may_reach("example.com", address, plain=True)


def test_what_the_operator_lists_is_reached_with_and_without_tls() -> None:
    allowed = allowed_of(" Hooks.internal., 10.0.0.0/8 ,::1,")
    for plain in (True, False):
        assert allowed.may_reach("hooks.internal", "192.168.1.1", plain=plain)
        assert allowed.may_reach("any.example", "10.9.8.7", plain=plain)
        assert allowed.may_reach("any.example", "::ffff:10.9.8.7", plain=plain)
        assert allowed.may_reach("any.example", "::1", plain=plain)
        assert not allowed.may_reach("any.example", "192.168.1.1", plain=plain)
    check_url("http://hooks.internal:8080/x", allowed)
    check_url("http://10.1.1.1/", allowed)


def test_a_setting_that_is_no_list_of_hosts_stops_the_server() -> None:
    with pytest.raises(CannotStart, match=r"hooks.internal,10.0.0.0/8"):
        allowed_of("http://hooks.internal/")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/path",
        "https://example.com",
        "https://example.com:8443/a?b=c#d",
        "https://93.184.215.14/",
        "https://[2606:4700::6810:84e5]/x",
        "https://xn--bcher-kva.example/",
    ],
)
def test_a_public_https_address_is_taken(url: str) -> None:
    check_url(url, NOTHING)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "cannot be empty"),
        ("example.com", "must begin with https"),
        ("ftp://example.com/", "must begin with https"),
        ("http://example.com/", "setting webhook_allow"),
        ("https://", "must name a host"),
        ("https:///path", "must name a host"),
        ("https://exa mple.com/", "without spaces"),
        ("https://exa\nmple.com/", "without spaces"),
        ("https://bücher.example/", "ASCII"),
        ("https://example.com:70000/", "cannot be read"),
        ("https://[::1", "cannot be read"),
        ("https://-example-/", "must name a host"),
        ("https://ann:secret@example.com/", "no name and password"),
        ("https://example.com\\@inside/", "no name and password"),
        ("https://127.0.0.1/", "127.0.0.1 is not public"),
        ("https://2130706433/", "127.0.0.1 is not public"),
        ("https://0x7f.1/", "127.0.0.1 is not public"),
        ("https://[::ffff:169.254.169.254]/", "not public"),
        ("https://localhost/", "the server itself"),
        ("https://a.localhost./", "the server itself"),
        ("https://example.com/" + "a" * 2048, "at most 2048"),
    ],
)
def test_an_address_to_which_nothing_will_be_sent_is_refused_at_once(url: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as refusal:
        check_url(url, NOTHING)
    assert refusal.value.where == "url"


def test_logs_tell_the_host_alone() -> None:
    assert host_of("https://hooks.example/services/T0/secret?x=1") == "hooks.example"
