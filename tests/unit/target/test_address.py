from __future__ import annotations

import pytest

from app.target.address import Targets
from app.target.reach import Reach

LISTED, PUBLIC, PRIVATE, ANY = Targets


def refusal(address: str, targets: Targets) -> str | None:
    return Reach(targets).refuses_address(address, "some.test", 80)


OPEN_TO_ALL = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "2606:4700::1111",
    "2001:4860:4860::8888",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
    "2002:101:101::1",
    "2001:0:101:101::fefe:fefe",
]
INSIDE = [
    "10.0.0.0",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "198.18.0.1",
    "fc00::1",
    "fdff::1",
    "fec0::1",
    "2001:2::1",
    "::ffff:10.0.0.1",
    "::10.0.0.1",
    "::ffff:0:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "2001:0:a00:1::fefe:fefe",
    "2001:0:101:101::f5ff:fffe",
]
HERE = ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
CLOSED = [
    "0.0.0.0",  # noqa: S104 -- dialled, not bound
    "0.1.2.3",
    "169.254.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "192.0.0.1",
    "192.0.0.192",
    "100.100.100.200",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::2",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:42::42",
    "2001:db8::1",
    "3fff::1",
    "2001:10::1",
    "64:ff9b:1::a00:1",
    "100::1",
    "4000::1",
    "5f00::1",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "::ffff:0:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001:0:101:101::5601:5601",
    "::ffff:224.0.0.1",
]


@pytest.mark.parametrize(
    ("addresses", "open_to"),
    [(OPEN_TO_ALL, {PUBLIC, PRIVATE, ANY}), (INSIDE, {PRIVATE, ANY}), (HERE, {ANY}), (CLOSED, set())],
)
def test_a_policy_opens_what_it_names_and_nothing_more(addresses: list[str], open_to: set[Targets]) -> None:
    for address in addresses:
        assert {targets for targets in Targets if refusal(address, targets) is None} == open_to, address


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("169.254.169.254", "a metadata address"),
        ("169.254.1.1", "a link-local address"),
        ("192.0.0.192", "a metadata address"),
        ("10.1.2.3", "a private address"),
        ("255.255.255.255", "a broadcast address"),
        ("::", "an unspecified address"),
        ("ff02::1", "a multicast address"),
        ("64:ff9b:1::1", "a local NAT64 address"),
        ("fe80::1%eth0", "a link-local address"),
    ],
)
def test_a_refusal_says_what_the_address_is(address: str, what: str) -> None:
    assert refusal(address, PUBLIC) == f"{address} is {what}"


def test_a_refusal_names_the_address_that_an_ipv6_address_carries() -> None:
    assert refusal("64:ff9b::a00:1", PUBLIC) == "64:ff9b::a00:1 (it carries 10.0.0.1) is a private address"
