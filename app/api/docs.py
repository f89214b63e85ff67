"""The documentation page: Swagger UI, its assets served from here, so that it works in a closed network.

FastAPI's own page has its script within it, which a Content-Security-Policy is there to forbid.
"""

from __future__ import annotations

import json
from functools import cache
from html import escape

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from swagger_ui_bundle import swagger_ui_path

from app.api.openapi30 import downgraded

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
_PARAMETERS = {
    "dom_id": "#swagger-ui",
    "layout": "BaseLayout",
    "deepLinking": True,
    "validatorUrl": None,
    "displayRequestDuration": True,
    "defaultModelsExpandDepth": 0,
    "docExpansion": "list",
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Cronledger</title>
<link rel="stylesheet" href="{base}/swagger-ui.css">
<link rel="icon" href="{base}/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{base}/swagger-ui-bundle.js"></script>
<script src="{base}/start.js"></script>
</body>
</html>
"""


def add_docs(api: FastAPI, url: str) -> None:
    def base(request: Request) -> str:
        return f"{request.scope.get('root_path', '')}{url}"

    async def page(request: Request) -> Response:
        content = _PAGE.format(base=escape(base(request)))
        return HTMLResponse(content, headers={"Content-Security-Policy": POLICY})

    async def start(request: Request) -> Response:
        told = json.dumps(_PARAMETERS | {"url": f"{base(request)}/openapi-3.0.json"}, indent=2)
        return Response(f"SwaggerUIBundle({told});\n", media_type="text/javascript")

    @cache
    def document_3_0() -> str:
        return json.dumps(downgraded(api.openapi()))

    async def document(_: Request) -> Response:
        return Response(document_3_0(), media_type="application/json")

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise HTTPException(404)
        return FileResponse(
            swagger_ui_path / name, media_type=_ASSETS[name], headers={"Cache-Control": "max-age=86400"}
        )

    api.add_route(url, page, include_in_schema=False)
    api.add_route(f"{url}/openapi-3.0.json", document, include_in_schema=False)
    api.add_route(f"{url}/start.js", start, include_in_schema=False)
    api.add_route(url + "/{name}", asset, include_in_schema=False)
