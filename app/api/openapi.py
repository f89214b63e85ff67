"""The OpenAPI document as a file, the same on every machine."""

from __future__ import annotations

import json
from typing import Any

from app import __version__
from app.api.application import build_api


def document() -> dict[str, Any]:
    return build_api(docs_url="/docs", version=__version__).openapi()


def export() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
