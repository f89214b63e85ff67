"""The documentation page: Swagger UI, its assets served from here, so that it works in a closed network."""

from __future__ import annotations

import json

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from swagger_ui_bundle import swagger_ui_path

from app.api.openapi30 import downgraded

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
_PARAMETERS = {
    "validatorUrl": None,
    "displayRequestDuration": True,
    "defaultModelsExpandDepth": 0,
    "docExpansion": "list",
}


def add_docs(api: FastAPI, url: str) -> None:
    async def page(request: Request) -> Response:
        base = f"{request.scope.get('root_path', '')}{url}"
        return get_swagger_ui_html(
            openapi_url=f"{base}/openapi-3.0.json",
            title="Cronledger",
            swagger_js_url=f"{base}/swagger-ui-bundle.js",
            swagger_css_url=f"{base}/swagger-ui.css",
            swagger_favicon_url=f"{base}/favicon-32x32.png",
            swagger_ui_parameters=_PARAMETERS,
        )

    async def document(_: Request) -> Response:
        return Response(json.dumps(downgraded(api.openapi())), media_type="application/json")

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise HTTPException(404)
        return FileResponse(
            swagger_ui_path / name, media_type=_ASSETS[name], headers={"Cache-Control": "max-age=86400"}
        )

    api.add_route(url, page, include_in_schema=False)
    api.add_route(f"{url}/openapi-3.0.json", document, include_in_schema=False)
    api.add_route(url + "/{name}", asset, include_in_schema=False)
