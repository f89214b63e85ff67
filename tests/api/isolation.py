"""Namespaces with something of every kind in them, and a request for each operation that asks for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import insert, select, update

from app.api.schemas.calendar import ICALENDAR
from app.db.audit_tables import audits, due_counts
from app.db.engine import Database
from app.db.tables import job_versions, metadata
from app.db.trace_tables import job_attempts
from tests.api.building import client_of

HOUR = timedelta(hours=1)
NEVER_ID = "019a1062-1c40-7f1e-9a0b-1c2d3e4f5a6b"
NAMESPACE = "Cronledger-Namespace"
BACKFILL = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-01T00:03:00Z", "only_missing": False}
UNTOLD = {"idempotency_keys", "replicas"}
"""Tables that change with every request, whoever sends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Things:
    """What one namespace has, by what its owner knows it; where nothing is said, what there never was."""

    namespace: str = "nowhere"
    job: str = "never-job"
    job_id: str = NEVER_ID
    gone_id: str = NEVER_ID
    run: str = NEVER_ID
    backfill: str = NEVER_ID
    calendar: str = "never-calendar"
    limit: str = "never-limit"
    secret: str = "never-secret"  # noqa: S105  # a name
    key: str = NEVER_ID
    more: frozenset[str] = field(default=frozenset())

    @property
    def marks(self) -> Iterator[str]:
        """Whatever another must not be told."""
        yield from self.more
        yield from (value for name, value in self.named.items() if name != "namespace")

    @property
    def named(self) -> dict[str, str]:
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "more"}


NEVER = Things()


async def done(answer: Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


@asynccontextmanager
async def calling(api: FastAPI, key: str, **headers: str) -> Any:
    async with client_of(api) as client:
        client.headers.update({"Authorization": f"Bearer {key}"} | headers)
        yield client


async def made_key(admin: AsyncClient, name: str, *scopes: str, namespace: str = "default") -> dict[str, Any]:
    """By an administrator of `default`."""
    body = {"name": name, "scopes": list(scopes)}
    made: dict[str, Any] = await done(await admin.post("/v1/keys", json=body, headers={NAMESPACE: namespace}))
    return made


async def furnish(owner: AsyncClient, database: Database, namespace: str, mark: str) -> Things:
    """Something of every kind, each with the mark in its name."""
    secret, limit, calendar = f"{mark}-secret", f"{mark}-limit", f"{mark}-calendar"
    await done(await owner.post("/v1/secrets", json={"name": secret, "value": f"{mark}-value"}))
    await done(await owner.put(f"/v1/limits/{limit}", json={"max_concurrency": 3}))
    day = {"date": "2099-12-24", "summary": f"{mark}-eve"}
    await done(await owner.post("/v1/calendars", json={"name": calendar, "entries": [day]}))
    job = await done(await owner.post("/v1/jobs", json=job_body(mark)))
    await done(await owner.patch(f"/v1/jobs/{mark}-job", json={"description": f"{mark}-described"}))
    await done(await owner.post(f"/v1/jobs/{mark}-job/pause", json={"note": f"{mark}-paused"}))
    await done(await owner.post(f"/v1/jobs/{mark}-job/resume"))
    run = await done(await owner.post(f"/v1/jobs/{mark}-job/trigger"))
    canceled = await done(await owner.post(f"/v1/jobs/{mark}-job/trigger"))
    await done(await owner.post(f"/v1/runs/{canceled['id']}/cancel", json={"note": f"{mark}-canceled"}))
    retried = await done(await owner.post(f"/v1/runs/{canceled['id']}/retry"))
    backfill = await done(await owner.post(f"/v1/jobs/{mark}-job/backfill", json=BACKFILL))
    gone = await done(await owner.post("/v1/jobs", json=job_body(mark, name=f"{mark}-gone")))
    its = await done(await owner.post(f"/v1/jobs/{mark}-gone/trigger"))
    await done(await owner.delete(f"/v1/jobs/{mark}-gone"))
    key = await done(await owner.post("/v1/keys", json={"name": f"{mark}-key", "scopes": ["jobs:read"]}))
    await put_attempt(database, run, f"{mark}-answered")
    await put_counts(database, job["id"], gone["id"])
    more = {canceled["id"], retried["id"], its["id"], f"{mark}-gone", f"{mark}-key", key["hint"], f"{mark}.example"}
    more |= {f"{mark}-{word}" for word in ("described", "paused", "canceled", "eve", "value", "answered", "team")}
    return Things(
        namespace=namespace,
        job=f"{mark}-job",
        job_id=job["id"],
        gone_id=gone["id"],
        run=run["id"],
        backfill=backfill["id"],
        calendar=calendar,
        limit=limit,
        secret=secret,
        key=key["id"],
        more=frozenset(more),
    )


def job_body(mark: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": f"{mark}-job",
        "schedule": "* * * * *",
        "endpoint": f"http://{mark}.example/hook",
        "labels": {"team": f"{mark}-team"},
        "exclude": [{"calendar": f"{mark}-calendar"}],
        "concurrency_key": f"{mark}-limit",
        "headers": {"X-Api-Key": {"secret": f"{mark}-secret"}},
    } | changes


async def put_attempt(database: Database, run: dict[str, Any], excerpt: str) -> None:
    at = datetime.fromisoformat(run["scheduled_for"])
    row = {"run_id": UUID(run["id"]), "ledger_at": at, "fence": 1, "attempt": 1, "replica": UUID(int=0xA)}
    row |= {"outcome": "failed", "discarded": False, "due_at": at, "ended_at": at, "response_excerpt": excerpt}
    async with database.begin() as connection:
        await connection.execute(insert(job_attempts).values(row))


async def put_counts(database: Database, *jobs: str) -> None:
    """As if each of these jobs had been due in the last hour, and nothing had come of it."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - HOUR
    async with database.begin() as connection:
        if await connection.scalar(select(audits.c.id)) is None:
            await connection.execute(insert(audits).values(id=1, counted_from=hour - HOUR, counted_until=hour + HOUR))
        await connection.execute(insert(due_counts), [{"hour": hour, "job_id": UUID(job), "due": 777} for job in jobs])
        first = (job_versions.c.job_id.in_(map(UUID, jobs)), job_versions.c.version == 1)
        await connection.execute(update(job_versions).where(*first).values(effective_from=hour - HOUR))


async def stored(database: Database) -> set[str]:
    """Every row of every table, but for when a key was last used."""
    found = set[str]()
    async with database.read() as connection:
        for name, table in metadata.tables.items():
            if name not in UNTOLD:
                columns = [column for column in table.c if column.name != "last_used_at"]
                found |= {f"{name} {tuple(row)}" for row in await connection.execute(select(*columns))}
    return found


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, and how it is answered to whoever has nothing of what it names."""

    method: str
    path: str
    status: int = 404
    body: Any = None
    text: str | None = None

    async def send(self, client: AsyncClient, **headers: str) -> Response:
        if self.text is not None:
            headers["Content-Type"] = "text/calendar"
            return await client.request(self.method, self.path, content=self.text, headers=headers)
        return await client.request(self.method, self.path, json=self.body, headers=headers)

    @property
    def told(self) -> str:
        """What the caller said, and may hear again."""
        return f"{self.path} {self.body}"


_DRY = ("", "?dry_run=true")
_AT = "at=2026-01-01T00:00:00Z/2026-01-01T00:02:00Z"
_HOOK = {"schedule": "@daily", "endpoint": "http://example.com/hook"}


def _job(things: Things, method: str, path: str, body: Any = None) -> list[Ask]:
    return [Ask(method, f"/v1/jobs/{things.job}{path}", body=body)]


def _named(path: str, method: str, *, body: Any = None, status: int = 404) -> list[Ask]:
    return [Ask(method, f"/v1/{path}", status, body)]


def _listed(path: str, *queries: str) -> list[Ask]:
    return [Ask("GET", f"/v1/{path}?limit=100{query}", 200) for query in ("", *(f"&{each}" for each in queries))]


def _refused(things: Things) -> list[dict[str, Any]]:
    """Definitions that name what is not there."""
    secret = {"secret": things.secret}
    return [_HOOK | {"exclude": [{"calendar": things.calendar}]}, _HOOK | {"headers": {"X-Api-Key": secret}}]


ASKS: dict[str, Callable[[Things], list[Ask]]] = {
    "getMetrics": lambda _: [Ask("GET", "/metrics", 403)],
    "createJob": lambda t: [
        *(Ask("POST", f"/v1/jobs{query}", 422, each | {"name": "x"}) for each in _refused(t) for query in _DRY),
        Ask("POST", "/v1/jobs?dry_run=true", 200, _HOOK | {"name": t.job, "concurrency_key": t.limit}),
        Ask("POST", "/v1/jobs", 201, _HOOK | {"name": t.job, "concurrency_key": t.limit}),
    ],
    "listJobs": lambda t: _listed("jobs", "enabled=true", f"q={t.job}", f"label=team:{t.job.partition('-')[0]}-team"),
    "getJob": lambda t: _job(t, "GET", ""),
    "putJob": lambda t: [Ask("PUT", f"/v1/jobs/{t.job}{query}", 422, each) for each in _refused(t) for query in _DRY],
    "patchJob": lambda t: (
        _job(t, "PATCH", "", {"schedule": "@daily"}) + _job(t, "PATCH", "?dry_run=true", {"schedule": "@daily"})
    ),
    "deleteJob": lambda t: _job(t, "DELETE", ""),
    "pauseJob": lambda t: _job(t, "POST", "/pause"),
    "resumeJob": lambda t: _job(t, "POST", "/resume"),
    "triggerJob": lambda t: _job(t, "POST", "/trigger"),
    "listNextTimes": lambda t: _job(t, "GET", "/next"),
    "listRuns": lambda t: _listed(
        "runs", "state=pending", f"job_id={t.job_id}", f"job_id={t.gone_id}", f"backfill_id={t.backfill}"
    ),
    "listJobRuns": lambda t: _job(t, "GET", "/runs"),
    "getRun": lambda t: _named(f"runs/{t.run}", "GET"),
    "listAttempts": lambda t: _named(f"runs/{t.run}/attempts", "GET"),
    "cancelRun": lambda t: _named(f"runs/{t.run}/cancel", "POST"),
    "retryRun": lambda t: _named(f"runs/{t.run}/retry", "POST"),
    "createBackfill": lambda t: _job(t, "POST", "/backfill", BACKFILL),
    "listBackfills": lambda t: _listed("backfills", f"job={t.job}"),
    "getBackfill": lambda t: _named(f"backfills/{t.backfill}", "GET"),
    "cancelBackfill": lambda t: _named(f"backfills/{t.backfill}/cancel", "POST"),
    "listJobSpans": lambda t: _job(t, "GET", "/spans"),
    "listJobVersions": lambda t: _job(t, "GET", "/versions"),
    "listVersions": lambda t: _listed_of_ids(t, "versions"),
    "explainJob": lambda t: _job(t, "GET", f"/explain?{_AT}"),
    "explain": lambda t: [Ask("GET", f"/v1/explain?{_AT}&job_id={each}") for each in (t.job_id, t.gone_id)],
    "createCalendar": lambda t: [Ask("POST", "/v1/calendars", 201, {"name": t.calendar})],
    "listCalendars": lambda _: _listed("calendars"),
    "getCalendar": lambda t: _named(f"calendars/{t.calendar}", "GET"),
    "putCalendar": lambda t: _named(f"calendars/{t.calendar}-put", "PUT", body={}, status=201),
    "deleteCalendar": lambda t: _named(f"calendars/{t.calendar}", "DELETE"),
    "importCalendar": lambda t: [Ask("POST", f"/v1/calendars/{t.calendar}/import", text=ICALENDAR)],
    "listLimits": lambda _: _listed("limits"),
    "getLimit": lambda t: _named(f"limits/{t.limit}", "GET"),
    "putLimit": lambda t: _named(f"limits/{t.limit}", "PUT", body={"max_concurrency": 1}, status=201),
    "deleteLimit": lambda t: _named(f"limits/{t.limit}", "DELETE"),
    "previewSchedule": lambda t: [
        Ask("POST", "/v1/schedules/preview", 422, {"schedule": "@daily", "exclude": [{"calendar": t.calendar}]})
    ],
    "getForecast": lambda _: [Ask("GET", "/v1/forecast", 200)],
    "getStats": lambda t: [
        *_listed("stats", f"job_id={t.job_id}", f"job_id={t.gone_id}"),
        Ask("GET", f"/v1/stats?job={t.job}"),
    ],
    "streamEvents": lambda _: [],
    "getScheduler": lambda _: [Ask("GET", "/v1/scheduler", 200)],
    "pauseScheduler": lambda _: [Ask("POST", "/v1/scheduler/pause", 403)],
    "resumeScheduler": lambda _: [Ask("POST", "/v1/scheduler/resume", 403)],
    "listReplicas": lambda _: [Ask("GET", "/v1/replicas", 403)],
    "listEntries": lambda _: _listed("entries"),
    "createSecret": lambda t: [Ask("POST", "/v1/secrets", 201, {"name": t.secret, "value": "v"})],
    "listSecrets": lambda _: _listed("secrets"),
    "getSecret": lambda t: _named(f"secrets/{t.secret}", "GET"),
    "putSecret": lambda t: _named(f"secrets/{t.secret}-put", "PUT", body={"value": "v"}, status=201),
    "deleteSecret": lambda t: _named(f"secrets/{t.secret}", "DELETE"),
    "listNamespaces": lambda _: _listed("namespaces"),
    "getNamespace": lambda t: _named(f"namespaces/{t.namespace}", "GET"),
    "putNamespace": lambda t: _named(f"namespaces/{t.namespace}", "PUT", body={}, status=403),
    "deleteNamespace": lambda t: _named(f"namespaces/{t.namespace}", "DELETE", status=403),
    "createKey": lambda _: [Ask("POST", "/v1/keys", 201, {"name": "ci", "scopes": ["admin"]})],
    "listKeys": lambda _: _listed("keys"),
    "getKey": lambda t: _named(f"keys/{t.key}", "GET"),
    "patchKey": lambda t: _named(f"keys/{t.key}", "PATCH", body={"name": "mine"}),
    "revokeKey": lambda t: _named(f"keys/{t.key}/revoke", "POST"),
    "listAudit": lambda t: _listed("audit", f"subject={t.job}", "action=job.create"),
}
"""By operation. What creates something comes in `ordered` after what looks, lest its own be taken for another's."""


def _listed_of_ids(things: Things, path: str) -> list[Ask]:
    return [Ask("GET", f"/v1/{path}?job_id={each}", 200) for each in (things.job_id, things.gone_id)]


def ordered(things: Things) -> list[tuple[str, Ask]]:
    asks = [(name, ask) for name, make in ASKS.items() for ask in make(things)]
    return sorted(asks, key=lambda each: (each[1].method != "GET", each[1].status < 300))


def anonymous(text: str, things: Things) -> str:
    """The same answer, whatever was asked for."""
    text = re.sub("default|acme|nowhere", "<namespace>", text)
    for name, value in sorted(things.named.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, "<id>" if len(value) == len(NEVER_ID) else f"<{name}>")
    return text
