"""A host's one spelling: what two parsers would read as two hosts is none."""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address

import idna

_NAME = re.compile(r"(?=.{1,253}\.?$)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
_ENCODED = "xn--"
# The WHATWG URL standard's rule: a host whose last label is a number is an IPv4 address or nothing.
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")


def canonical_name(text: str) -> str:
    """A name in ASCII and lower case, or an IPv4 address. Raises ValueError, AddressValueError for a broken address.

    IDNA 2003 and IDNA 2008 must read a name alike: Python's own resolver still follows the one, browsers the other.
    """
    name = text.lower() if text.isascii() else _to_ascii(text)
    if is_ipv4(name):
        return str(IPv4Address(text))  # as written: full-width digits are digits to some
    if not _NAME.fullmatch(name) or not all(map(_is_readable, name.split("."))):
        raise ValueError(text)
    return name


def canonical_ipv6(text: str) -> str:
    """Raises AddressValueError; of zones there are none."""
    # inet_ntop, since str() of a mapped address differs between Python 3.12 and 3.13.
    return socket.inet_ntop(socket.AF_INET6, IPv6Address(text).packed)


def is_ipv4(name: str) -> bool:
    """Whether a name can be nothing but an IPv4 address."""
    return _ENDS_IN_NUMBER.fullmatch(name) is not None


def is_address(host: str) -> bool:
    return ":" in host or is_ipv4(host)


def _is_readable(label: str) -> bool:
    """Whether what says that it stands for other letters does (RFC 3492)."""
    if not label.startswith(_ENCODED):
        return True
    try:
        return not label.removeprefix(_ENCODED).encode().decode("punycode").isascii()
    except ValueError:
        return False


def _to_ascii(text: str) -> str:
    ascii_name = idna.encode(text, uts46=True).decode()
    if text.encode("idna").decode().lower() != ascii_name:
        raise ValueError(text)
    return ascii_name
