"""Where a redirect may lead a call, through the real API and a real caller; the sockets are watched."""

from __future__ import annotations

from typing import Any

from app.target.address import Targets
from app.target.reach import Reach
from app.target.rule import read_rules
from tests.hostile.malice import Behaviour, body, serving_malice
from tests.hostile.names import Names
from tests.hostile.service import serving
from tests.hostile.sockets import watched

HOME = "127.0.0.1"
NAMES = {"home": [[HOME]], "other": [[HOME]], "inside": [["10.0.0.1"]], "turns": [[HOME], ["127.0.0.2"]]}
LANDED = {
    "/end": "/end",
    "end": "/end",
    "../end": "/end",
    "?again": None,
    "http://home.test:{port}/end": "/end",
    "HTTP://HOME.test.:{port}/end#part": "/end",
    "//other.test:{port}/end": "/end",
    "http://other.test:{port}/end?\u00e9": "/end?%C3%A9",
}
"""Of a Location, the path that is called in the end."""

REFUSED = [
    "http://127.0.0.2:{port}/end",
    "http://127.0.0.1:1/end",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]:{port}/end",
    "http://[::ffff:127.0.0.1]:1/end",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[fd00:ec2::254]/",
    "http://localhost:1/end",
    "//10.0.0.1/end",
    "http://inside.test/end",
    "http://denied.test:{port}/end",
    "http://home.test:22/end",
    "http://2130706433/end",
    "http://0x7f.1/end",
    "http://0177.0.0.1/end",
    "http://127.1/end",
    "http://user:sesame@home.test:{port}/end",
    "http://home.test:{port}@10.0.0.1/end",
    "http://home.test:{port}\\@10.0.0.1/end",
    "\\\\10.0.0.1/end",
    "/\\10.0.0.1/end",
    "///10.0.0.1/end",
    "http:10.0.0.1/end",
    "http:///10.0.0.1/end",
    "http://home.te\tst:{port}/end",
    "http://home.test:{port}/a b",
    "http://home.test:{port}/\x7f",
    "http://home.test:{port}/%",
    "http://home.test:{port}/\xff",
    "http://f\u00e4\u00df.test:{port}/end",
    "http://home.test:99999/end",
    "http://[::1/end",
    "https:/end",
    "ftp://home.test/end",
    "file:///etc/passwd",
    "gopher://home.test:6379/_FLUSHALL",
    "javascript:alert(1)",
    "data:text/plain,ok",
    "/" + "a" * 2048,
]


def redirect(location: str) -> bytes:
    """As bytes of UTF-8, but for the one that is none."""
    sent = location.encode("latin-1" if "\xff" in location else "utf-8")
    return b"HTTP/1.1 307 Moved\r\nConnection: close\r\nContent-Length: 0\r\nLocation: " + sent + b"\r\n\r\n"


def reach(port: int) -> Reach:
    return Reach(
        Targets.PUBLIC,
        read_rules(f"{HOME}:{port}"),
        read_rules(":22 denied.test"),
    )


def job(port: int, name: str, host: str = "home.test") -> dict[str, Any]:
    return {"endpoint": f"http://{host}:{port}/{name}", "max_redirects": 5, "headers": {"Authorization": "Bearer s"}}


async def test_a_redirect_lands_only_where_an_endpoint_might(database_url: str) -> None:
    behaviours: dict[str, Behaviour] = {"end": body(b"ok"), "end?%C3%A9": body(b"ok")}
    async with serving_malice(behaviours) as server:
        wanted = dict.fromkeys(REFUSED) | LANDED
        paths = {f"to-{number}": location.replace("{port}", str(server.port)) for number, location in enumerate(wanted)}
        behaviours |= {path: redirect(location) for path, location in paths.items()}
        behaviours |= {f"{path}?again": body(b"again") for path in paths}
        with watched() as dialled:
            async with serving(database_url, reach(server.port), Names(**NAMES)) as service:
                runs = await service.run({path: job(server.port, path) for path in paths})
        dialled_ips = {ip for ip, _ in dialled}
    told = {location: runs[path] for location, path in zip(wanted, paths, strict=True)}
    assert {each: (told[each]["state"], told[each]["error"]) for each in LANDED} == dict.fromkeys(
        LANDED, ("succeeded", None)
    )
    wrong = {
        each: told[each]["error"]
        for each in REFUSED
        if not (told[each]["error"] or "").startswith("refused: redirect: ")
    }
    assert wrong == {}
    assert not any("sesame" in run["error"] for run in told.values() if run["error"])
    assert dialled_ips == {HOME}
    assert server.calls["/end"] == sum(path == "/end" for path in LANDED.values())


async def test_redirects_are_off_until_a_job_asks(sqlite_url: str) -> None:
    async with (
        serving_malice({"one": redirect("/end"), "end": body(b"ok")}) as server,
        serving(sqlite_url, reach(server.port), Names(**NAMES)) as service,
    ):
        run = (await service.run({"one": job(server.port, "one") | {"max_redirects": 0}}))["one"]
    assert (run["state"], run["error"], server.calls["/end"]) == ("failed", "status 307", 0)


async def test_redirects_in_a_circle_end(sqlite_url: str) -> None:
    async with (
        serving_malice({"one": redirect("/two"), "two": redirect("/one")}) as server,
        serving(sqlite_url, reach(server.port), Names(**NAMES)) as service,
    ):
        run = (await service.run({"one": job(server.port, "one")}))["one"]
    assert run["error"] == "status 307"
    assert server.calls == {"/one": 3, "/two": 3}


async def test_credentials_stay_at_the_origin(sqlite_url: str) -> None:
    async with serving_malice({}) as server:
        server._behaviours = {
            "same": redirect("/end-same"),
            "other": redirect(f"http://other.test:{server.port}/end-other"),
            "end-same": body(b"ok"),
            "end-other": body(b"ok"),
        }
        async with serving(sqlite_url, reach(server.port), Names(**NAMES)) as service:
            await service.run({name: job(server.port, name) for name in ("same", "other")})
    assert b"bearer s" in server.requests["/end-same"].lower()
    assert b"bearer s" not in server.requests["/end-other"].lower()


async def test_a_name_that_turns_inside_between_two_hops_is_refused(sqlite_url: str) -> None:
    async with serving_malice({"end": body(b"ok")}) as server:
        server._behaviours = {"one": redirect(f"http://turns.test.:{server.port}/end"), "end": body(b"ok")}
        with watched() as dialled:
            async with serving(sqlite_url, reach(server.port), Names(**NAMES)) as service:
                run = (await service.run({"one": job(server.port, "one", "turns.test")}))["one"]
    assert run["error"] == "refused: redirect: 127.0.0.2 is a loopback address"
    assert {ip for ip, _ in dialled} == {HOME}
    assert server.calls == {"/one": 1}
