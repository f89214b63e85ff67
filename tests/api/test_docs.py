from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import pytest
from httpx2 import AsyncClient

from app.api.application import build_api
from app.api.openapi30 import downgraded
from tests.api.building import build_app, client_of, problem


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async with client_of(build_app(None)) as opened:
        yield opened


def local_paths(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="([^"]+)"', page)


async def test_the_page_and_all_that_it_loads_come_from_here(client: AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "//" not in re.sub(r"<!--.*?-->|^\s*//.*$", "", page.text, flags=re.DOTALL | re.MULTILINE)
    assert "<script>" not in page.text
    loaded = [*local_paths(page.text), "/docs/openapi-3.0.json"]
    assert len(loaded) == 5
    for path in loaded:
        assert path.startswith("/docs/")
        answer = await client.get(urljoin("/docs", path))
        assert answer.status_code == 200
        assert len(answer.content) > 200


async def test_assets_have_their_media_types(client: AsyncClient) -> None:
    for name, media_type in [
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
        ("favicon-32x32.png", "image/png"),
        ("openapi-3.0.json", "application/json"),
    ]:
        assert (await client.get(f"/docs/{name}")).headers["content-type"].startswith(media_type)


async def test_the_style_loads_nothing_from_elsewhere(client: AsyncClient) -> None:
    style = (await client.get("/docs/swagger-ui.css")).text
    assert all(target.strip("\"'").startswith("data:") for target in re.findall(r"url\(([^)]{1,30})", style))
    assert "@import" not in style


async def test_no_badge_is_fetched_from_a_validator(client: AsyncClient) -> None:
    assert '"validatorUrl": null' in (await client.get("/docs/start.js")).text


@pytest.mark.parametrize(
    "name", ["index.html", "swagger-initializer.js", "oauth2-redirect.html", "..%2F..%2F__init__.py", "%00"]
)
async def test_nothing_else_of_the_package_is_served(client: AsyncClient, name: str) -> None:
    problem(await client.get(f"/docs/{name}"), 404, "not-found")


async def test_the_page_may_stand_elsewhere() -> None:
    async with client_of(build_api(docs_url="/help/api", version="1")) as client:
        page = await client.get("/help/api")
        assert "/help/api/swagger-ui.css" in page.text
        assert (await client.get("/help/api/swagger-ui.css")).status_code == 200
        problem(await client.get("/docs"), 404, "not-found")


async def test_the_page_reads_a_document_of_the_version_that_it_knows(client: AsyncClient) -> None:
    document = (await client.get("/docs/openapi-3.0.json")).json()
    assert document["openapi"] == "3.0.3"
    assert document["paths"].keys() == (await client.get("/openapi.json")).json()["paths"].keys()
    text = str(document)
    assert "'type': 'null'" not in text
    assert "'type': [" not in text


def test_what_3_0_says_otherwise_is_rewritten() -> None:
    schema = {
        "anyOf": [{"type": "number", "exclusiveMinimum": 0.0}, {"type": "null"}],
        "examples": [1, 2],
        "propertyNames": {"pattern": "a"},
    }
    referring = {"anyOf": [{"$ref": "#/a"}, {"type": "null"}]}
    info = {"license": {"name": "MIT", "identifier": "MIT"}}
    found = downgraded({"openapi": "3.1.0", "info": info, "components": {"schemas": {"A": schema, "B": referring}}})
    assert found["info"] == {"license": {"name": "MIT"}}
    assert found["components"]["schemas"] == {
        "A": {"nullable": True, "type": "number", "minimum": 0.0, "exclusiveMinimum": True, "example": 1},
        "B": {"nullable": True, "anyOf": [{"$ref": "#/a"}]},
    }
    assert info["license"]["identifier"] == "MIT"
