"""Calling endpoints over HTTP."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial

from aiohttp import ClientResponse, ClientSession
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict
from yarl import URL

from app.domain.clock import Clock
from app.domain.errors import InvalidEndpoint
from app.domain.revealed import Revealed, plain
from app.domain.run import Call, Outcome
from app.target.answer import Answer
from app.target.failure import Kind, RefusedAddressError, explain
from app.target.guard import Guard
from app.target.headers import call_headers
from app.target.hop import Hop
from app.target.proxy import Proxy
from app.target.reach import Reach
from app.target.resolver import Resolver
from app.target.session import open_session
from app.target.signature import signature
from app.target.times import CallTimes
from app.target.tls import TlsContexts, trusting

Reveal = Callable[[Call], Awaitable[Revealed]]
"""Puts a call's secrets where it is to carry them. Raises SecretNotFound, SecretUnreadable."""


async def as_it_is(call: Call) -> Revealed:
    """For calls that carry no secrets."""
    return plain(call)


_LARGE = 2**20  # aiohttp warns of bytes above, as it would write them in one go


class HttpTarget:
    """Calls endpoints in one session for the process, opened once, on the loop that calls, and closed for good.

    `ca_bundle` replaces the system's certificate authorities. `public_url` is how targets reach this service. Through a
    proxy, names are looked up there and not here. Calls whose job has no `signing` are signed with `signing_keys`.
    """

    def __init__(  # noqa: PLR0913  # what is known once for all calls
        self,
        reach: Reach,
        clock: Clock,
        version: str,
        *,
        resolver: AbstractResolver | None = None,
        ca_bundle: str | None = None,
        proxy: Proxy | None = None,
        public_url: str | None = None,
        reveal: Reveal = as_it_is,
        signing_keys: Sequence[str] = (),
    ) -> None:
        self._guard = Guard(replace(reach, proxied=proxy is not None))
        self._clock = clock
        self._version = version
        self._resolver = resolver or Resolver()
        self._tls = trusting(ca_bundle) if ca_bundle else None
        self._contexts = TlsContexts(ca_bundle)
        self._proxy = proxy
        self._public_url = public_url
        self._reveal = reveal
        self._signing_keys = tuple(signing_keys)
        self._session: ClientSession | None = None

    async def open(self) -> None:
        if self._session is None:
            agent = f"cronledger/{self._version}"
            self._session = open_session(agent, self._guard, self._resolver, self._tls)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await self._resolver.close()

    async def call(self, call: Call) -> Outcome:
        """Make one attempt, from the lookup to the last byte, within the call's timeout.

        Every failure is an Outcome whose error begins with its Kind; only being cancelled raises.
        """
        answer, failure = Answer(call.success, calls_back=call.callback_token is not None), None
        times = CallTimes(self._clock.monotonic)
        deadline = asyncio.timeout(call.timeout_seconds)
        try:
            async with deadline:
                await self._exchange(call, answer, times)
        except Exception as error:  # noqa: BLE001 -- whatever it was, the ledger is to say it
            failure = f"{Kind.TIMEOUT} after {call.timeout_seconds:g} s" if deadline.expired() else explain(error)
        return replace(answer.outcome(failure, self._clock.now()), timing=times.timing)

    async def _exchange(self, call: Call, answer: Answer, times: CallTimes) -> None:
        """Ask, and follow as many redirects as the job allows; one more is the answer."""
        revealed = await self._reveal(call)
        answer.hide(revealed.hidden | self._proxy.hidden if self._proxy else revealed.hidden)
        hop, left = self._first(revealed), call.max_redirects
        while onward := await self._ask(hop, answer, times, follow=left > 0):
            hop, left = onward, left - 1
            times.redirected()

    def _first(self, revealed: Revealed) -> Hop:
        now, call = self._clock.now(), revealed.call
        keys = revealed.signing_keys or self._signing_keys
        sign = partial(signature, keys, str(call.run_id), now) if keys else None
        tls = self._contexts.context(revealed.certificate, verify=call.tls.verify)
        return Hop.first(revealed, call_headers(revealed, now, self._callback(call)), sign, tls)

    async def _ask(self, hop: Hop, answer: Answer, times: CallTimes, *, follow: bool) -> Hop | None:
        """Where to ask next; None once the answer is read."""
        response = await self._send(hop, times)
        try:
            if follow and (onward := hop.onward(response)):
                return onward
            await answer.read(response)
            return None
        finally:
            response.close()

    async def _send(self, hop: Hop, times: CallTimes) -> ClientResponse:
        url = _url(hop.url)
        try:
            with self._guard.admitting(url):
                return await self._request(hop, url, times)
        except RefusedAddressError as refused:
            raise RefusedAddressError(f"redirect: {refused}") if hop.redirected else refused from None

    async def _request(self, hop: Hop, url: URL, times: CallTimes) -> ClientResponse:
        if self._session is None:
            raise RuntimeError("The target is not open.")
        return await self._session.request(
            hop.method,
            url,
            headers=self._headers(hop, url),
            data=io.BytesIO(hop.body) if hop.body and len(hop.body) > _LARGE else hop.body,
            allow_redirects=False,
            proxy=self._proxy.url if self._proxy else None,
            proxy_headers=self._proxy.headers if self._proxy else None,
            ssl=hop.tls or True,
            trace_request_ctx=times,
        )

    def _headers(self, hop: Hop, url: URL) -> CIMultiDict[str]:
        """A request in the clear tells the proxy itself who sends it; before TLS the client's CONNECT does."""
        if self._proxy is None or url.scheme == "https":
            return hop.headers
        return CIMultiDict([*hop.headers.items(), *self._proxy.headers.items()])

    def _callback(self, call: Call) -> str | None:
        if call.callback_token is None:
            return None
        if self._public_url is None:
            raise InvalidEndpoint("CRONLEDGER_PUBLIC_URL is not set, and the target could not call back.")
        return f"{self._public_url}/v1/callbacks/{call.run_id}/{call.callback_token}"


@lru_cache(maxsize=8192)
def _url(canonical: str) -> URL:
    return URL(canonical, encoded=True)
