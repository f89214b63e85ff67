"""What an operator opens and closes beside the table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.target.address import Targets
from app.target.reach import Reach
from app.target.rule import Rule, read_rules


def reach(targets: Targets = Targets.PUBLIC, *, allow: str = "", deny: str = "") -> Reach:
    return Reach(targets, read_rules(allow), read_rules(deny))


def dialled(rules: Reach, ip: str, host: str = "some.test", port: int = 443) -> bool:
    return rules.refuses(host, port) is None and rules.refuses_address(ip, host, port) is None


@pytest.mark.parametrize(
    ("allow", "ip", "open_"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "64:ff9b::a01:203", True),
        ("10.0.0.0/8", "11.0.0.1", True),
        ("10.0.0.0/8", "192.168.0.1", False),
        ("10.1.2.3", "10.1.2.4", False),
        ("10.0.0.0/8:443", "10.1.2.3", True),
        ("10.0.0.0/8:80-442", "10.1.2.3", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0/0", "10.1.2.3", False),
        ("169.254.0.0/16", "169.254.1.1", True),
        ("169.254.0.0/16", "169.254.169.254", False),
        ("169.254.0.0/16", "169.254.170.2", False),
        ("fe80::/10", "fe80::a9fe:a9fe%2", False),
        ("169.254.169.254", "169.254.169.254", True),
        ("100.64.0.0/10", "100.100.100.200", False),
        ("fc00::/7", "fd00:ec2::254", False),
        ("fc00::/7", "fd12::1", True),
        ("[fd00:ec2::254]:443", "fd00:ec2::254", True),
        ("[fd00:ec2::254]:80", "fd00:ec2::254", False),
        ("64:ff9b:1::/48", "64:ff9b:1::a00:1", True),
        ("some.test", "10.1.2.3", True),
        ("some.test:443", "127.0.0.1", True),
        ("some.test:80", "127.0.0.1", False),
        ("SOME.test.", "::1", True),
        ("*.test", "10.1.2.3", True),
        ("*.some.test", "10.1.2.3", False),
        ("other.test, 192.168.0.0/16", "10.1.2.3", False),
        (":443", "1.1.1.1", True),
        (":80 :443-444", "1.1.1.1", True),
        (":80", "1.1.1.1", False),
        (":80 1.1.1.1 some.test:443", "1.1.1.1", False),
        (":443", "10.1.2.3", False),
        (":443 10.0.0.0/8", "10.1.2.3", True),
        ("some.test", "169.254.169.254", False),
        ("some.test", "168.63.129.16", False),
        ("some.test", "224.0.0.1", False),
    ],
)
def test_what_is_allowed_opens_what_it_names_and_nothing_more(allow: str, ip: str, *, open_: bool) -> None:
    assert dialled(reach(allow=allow), ip) is open_


@pytest.mark.parametrize("targets", [Targets.PRIVATE, Targets.ANY])
def test_metadata_stays_closed_where_private_networks_are_open(targets: Targets) -> None:
    rules = reach(targets, allow="169.254.0.0/16 10.0.0.0/8 fc00::/7 0.0.0.0/0 *.test")
    for ip in ("169.254.169.254", "168.63.129.16", "192.0.0.192", "100.100.100.200", "fd00:ec2::254", "::a9fe:a9fe"):
        assert not dialled(rules, ip), ip
    assert dialled(reach(targets, allow="169.254.169.254"), "169.254.169.254")


@pytest.mark.parametrize(
    ("deny", "ip", "open_"),
    [
        ("1.1.1.0/24", "1.1.1.1", False),
        ("1.1.1.0/24", "::ffff:1.1.1.1", False),
        ("1.1.1.0/24", "2002:101:101::1", False),
        ("1.1.1.0/24:443", "1.1.1.1", False),
        ("1.1.1.0/24:22", "1.1.1.1", True),
        ("64:ff9b::/96", "64:ff9b::101:101", False),
        ("64:ff9b::/96", "1.1.1.1", True),
        (":443", "1.1.1.1", False),
        (":1-1023", "1.1.1.1", False),
        (":22", "1.1.1.1", True),
        ("some.test", "1.1.1.1", False),
        ("*.test:443", "1.1.1.1", False),
        ("*.some.test", "1.1.1.1", True),
    ],
)
def test_what_is_denied_is_closed_whatever_else_says(deny: str, ip: str, *, open_: bool) -> None:
    allow = "1.1.1.1, [64:ff9b::101:101], some.test, *.test"
    assert dialled(reach(Targets.ANY, allow=allow, deny=deny), ip) is open_


@pytest.mark.parametrize(
    ("allow", "ip", "open_"),
    [
        ("", "1.1.1.1", False),
        ("0.0.0.0/0", "1.1.1.1", True),
        ("0.0.0.0/0:443", "::ffff:1.1.1.1", True),
        ("0.0.0.0/0:80", "1.1.1.1", False),
        ("0.0.0.0/0", "10.0.0.1", False),
        ("[2000::/3]:443", "2606:4700::1111", True),
        ("some.test", "1.1.1.1", True),
        ("*.other.test", "1.1.1.1", False),
    ],
)
def test_where_only_the_list_is_open_all_else_is_closed(allow: str, ip: str, *, open_: bool) -> None:
    assert dialled(reach(Targets.LISTED, allow=allow), ip) is open_


def test_a_host_that_no_item_covers_is_refused_without_dns() -> None:
    assert reach(Targets.LISTED, allow="*.corp.test").refuses("hooks.test", 443) == (
        "hooks.test is not listed in CRONLEDGER_TARGETS_ALLOW"
    )
    either = reach(Targets.LISTED, allow="*.corp.test, 10.0.0.0/8")
    assert either.refuses("hooks.test", 443) is None
    assert replace(either, proxied=True).refuses("hooks.test", 443) is not None
    assert replace(either, proxied=True).refuses("hooks.corp.test", 443) is None


def test_localhost_is_this_machine_without_dns() -> None:
    for host in ("localhost", "localhost.", "a.localhost"):
        assert reach().refuses(host, 80) == "127.0.0.1 is a loopback address"
        assert reach(allow="127.0.0.1").refuses(host, 80) is None
    assert reach(allow="localhost").refuses("localhost", 80) is None


@pytest.mark.parametrize(
    "text",
    [
        ":",
        ":0",
        ":70000",
        ":90-80",
        "some.test:0",
        "10.0.0.1/8",
        "10.0.0",
        "10.0.0.0/33",
        "0x7f.1",
        "[10.0.0",
        "fe80::1/64",
        "*",
        "a.*.test",
        "*test",
        "https://some.test",
        "some.test/path",
        "user@some.test",
        "a..test",
        "faß.de",
    ],
)
def test_an_item_that_can_not_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no |don't exist"):
        read_rules(f"10.0.0.0/8, {text}")


@given(st.one_of(st.text(max_size=40), st.text(alphabet="abc.:/[]*-0123456789 ,", max_size=30)))
def test_any_text_is_rules_or_an_error_that_says_why(text: str) -> None:
    rules: tuple[Rule, ...] = ()
    try:
        rules, said = read_rules(text), "is no error"
    except ValueError as error:
        said = str(error)
    assert "is no " in said or "don't exist" in said
    for rule in rules:
        assert rule.ports
        assert rule.network is None or rule.host is None
