"""An identity provider for tests: its keys, what it signs with them, and where it publishes them."""

from __future__ import annotations

import asyncio
from ssl import SSLContext
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

ISSUER = "https://identity.example"
AUDIENCE = "cronledger"


class Provider:
    """Serves its JWKS at `url`. What it answers instead, while `failing` is set, is that status.

    It answers while `hanging` is set; `asking` is, once it was asked a second time.
    """

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {"one": new_key("one")}
        self.asked = 0
        self.failing: int | None = None
        self.text: str | None = None
        self.url = ""
        self.asking = asyncio.Event()
        self.hanging = asyncio.Event()
        self.hanging.set()
        application = web.Application()
        application.router.add_get("/keys", self._publish)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)

    async def start(self, tls: SSLContext | None = None) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/keys" if tls is None else f"https://localhost:{port}/keys"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def rotate(self, kid: str) -> None:
        """One new key, and none of the old ones."""
        self.keys = {kid: new_key(kid)}

    def published(self) -> Any:
        return KeySet(list(self.keys.values())).as_dict(private=False)

    async def _publish(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.asked > 1:
            self.asking.set()
        await self.hanging.wait()
        if self.failing is not None:
            return web.Response(status=self.failing, headers={"Location": "/keys"})
        return web.json_response(self.published()) if self.text is None else web.Response(text=self.text)


def new_key(kid: str) -> Key:
    return ECKey.generate_key("P-256", {"kid": kid})


def rsa_key(kid: str) -> Key:
    return RSAKey.generate_key(2048, {"kid": kid})


def claims(now: float, **more: Any) -> dict[str, Any]:
    """Those of a good token; None leaves a claim out."""
    known = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": int(now), "exp": int(now) + 300} | more
    return {name: value for name, value in known.items() if value is not None}


def signed(key: Key, told: dict[str, Any], algorithm: str = "ES256", **header: Any) -> str:
    return jwt.encode({"alg": algorithm, "kid": key.kid} | header, told, key, algorithms=[algorithm])
