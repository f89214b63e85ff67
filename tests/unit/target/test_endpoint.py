from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from app.domain.errors import InvalidEndpoint, RefusedTarget
from app.target.address import Targets
from app.target.endpoint import MAX_LENGTH, canonical_endpoint, check_reach, host_key
from app.target.reach import Reach


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTP://EXAMPLE.com:80/Hook", "http://example.com/Hook"),
        ("https://example.com:443?a=1", "https://example.com/?a=1"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("http://example.com:/x?", "http://example.com/x"),
        ("http://my_service:8080/x", "http://my_service:8080/x"),
        ("http://example.com./", "http://example.com./"),
        ("http://bücher。de/é|", "http://xn--bcher-kva.de/%C3%A9%7C"),
        ("http://xn--fa-hia.de/", "http://xn--fa-hia.de/"),
        ("http://[0:0:0:0:0:0:0:1]:80/", "http://[::1]/"),
        ("http://[::ffff:7f00:1]/", "http://[::ffff:127.0.0.1]/"),
        ("http://h/a/../b;c?x=%20+%2F&y=/?", "http://h/a/../b;c?x=%20+%2F&y=/?"),
        ("http://example.com:65535/", "http://example.com:65535/"),
        ("http://h/%7Euser", "http://h/%7Euser"),
    ],
)
def test_an_endpoint_has_one_form(url: str, canonical: str) -> None:
    assert canonical_endpoint(url) == canonical
    assert canonical_endpoint(canonical) == canonical


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "//example.com/",
        "ftp://example.com/",
        "ws://example.com/",
        "http:example.com",
        "http:///hook",
        "http://",
        "http://good.example\\@127.0.0.1/",
        "http://example.com/a\\b",
        "http://user:pass@example.com/",
        "http://@example.com/",
        "http://example.com/#top",
        "http://example.com/#",
        "http://example.com/\n",
        " http://example.com/",
        "http://example.com/a b",
        "http://exa\tmple.com/",
        "http://example.com/\0",
        "http://exa\u200bmple.com/",
        "http://example.com/\ud800",
        "http://example.com/%",
        "http://example.com/%zz",
        "http://ex%41mple.com/",
        "http://ex℀mple.com/",
        "http://a..b/",
        "http://.a/",
        "http://a,b/",
        "http://*.example.com/",
        "http://" + "a" * 64 + ".com/",
        "http://" + "a." * 127 + "com/",
        "http://faß.de/",
        "http://βόλος.com/",
        "http://\u2603.net/",
        "http://\uff11\uff12\uff17。0。0。\uff11/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.0.0.1./",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "http://[::1]evil.com/",
        "http://[::1/",
        "http://]/",
        "http://[",
        "http://[::zz]/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.x]/",
        "http://::1/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:+80/",
        "http://example.com:\uff18\uff10/",
        "http://example.com:8_0/",
        "http://example.com/" + "a" * MAX_LENGTH,
        "http://example.com/" + "é" * 400,
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidEndpoint) as caught:
        canonical_endpoint(url)
    assert caught.value.field == "endpoint"
    assert caught.value.message.startswith("endpoint: ")
    assert caught.value.remedy


def test_a_long_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidEndpoint, match="characters, which are too many"):
        canonical_endpoint("http://" + "é" * 10_000_000)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:sesame@example.com/",
        "https://user:sesame@example.com/#x",
        "https://user:sesame@example.com/a b",
        "https://user:sesame@example.com\\x",
        "https://user:sesame@example.com/%zz",
        "https://user:sesame@[example.com/",
        "https://user:sesame@example.com/" + "a" * 2048,
        "https://user:sesame/#?@example.com/",
        "ftp://user:sesame@example.com/",
        "https:user:sesame@example.com/",
        "user:sesame@example.com",
    ],
)
def test_a_password_is_not_repeated_in_the_message(url: str) -> None:
    with pytest.raises(InvalidEndpoint) as caught:
        canonical_endpoint(url)
    assert "sesame" not in str(caught.value)
    assert "example.com" in str(caught.value)


URLS = st.one_of(st.text(max_size=40), st.text(alphabet="abc.:/@[]?#%\\0123 x-é。\t&=", max_size=30)).map(
    "http://".__add__
)


def is_read_alike_or_refused(url: str) -> None:
    try:
        canonical = canonical_endpoint(url)
    except InvalidEndpoint:
        return
    assert canonical_endpoint(canonical) == canonical
    assert canonical.isascii()
    parts, dialled = urlsplit(canonical), URL(canonical, encoded=True)
    assert parts.hostname == dialled.raw_host
    assert (parts.path, parts.query) == (dialled.raw_path, dialled.raw_query_string)
    assert {parts.port or 80} == {urlsplit(url).port or 80, dialled.port, URL(canonical).port, URL(url).port}
    assert {plain(parts.hostname)} == {plain(URL(canonical).raw_host), plain(URL(url).raw_host)}


@given(URLS)
def test_every_parser_reads_an_accepted_endpoint_alike(url: str) -> None:
    is_read_alike_or_refused(url)


def plain(host: str | None) -> str:
    return str(ip_address(host)) if host and ":" in host else str(host)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://example.com/a", "example.com:80"),
        ("https://Example.com/b?c", "example.com:443"),
        ("http://example.com:8080/", "example.com:8080"),
        ("http://example.com.:8080/", "example.com:8080"),
        ("http://[::1]/", "[::1]:80"),
        ("http://[::1]:81/", "[::1]:81"),
        ("not a url", "not a url"),
    ],
)
def test_a_host_key_is_the_host_and_its_port(url: str, key: str) -> None:
    assert host_key(url) == key


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://10.0.0.1:8080/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://localhost/",
        "http://a.LOCALHOST./",
    ],
)
def test_an_address_outside_the_policy_is_refused_when_it_is_written(url: str) -> None:
    with pytest.raises(RefusedTarget) as caught:
        check_reach(url, Reach(Targets.PUBLIC))
    assert caught.value.field == "endpoint"
    check_reach(url, Reach(Targets.ANY))


def test_a_metadata_address_is_refused_under_every_policy() -> None:
    for targets in Targets:
        with pytest.raises(RefusedTarget, match=r"169\.254\.169\.254 is a metadata address"):
            check_reach("http://169.254.169.254/latest/meta-data/", Reach(targets))


def test_a_name_is_left_to_be_judged_when_it_is_dialled() -> None:
    check_reach("http://internal.example/", Reach(Targets.PUBLIC))
    check_reach("http://1.1.1.1/", Reach(Targets.PUBLIC))
