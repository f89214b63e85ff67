"""What a namespace may have: asked in the transaction that would take of it."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from app.db.insert_runs import skipped
from app.db.namespaces import day_of
from app.db.transaction import Transaction
from app.domain.errors import InvalidInput, NamespaceNotFound, QuotaExceeded
from app.domain.instants import rfc3339
from app.domain.interval import closer_than
from app.domain.job import JobDefinition, PersistedJob
from app.domain.namespace import DEFAULT, Quotas, is_too_long
from app.domain.recurrence import Recurrence
from app.domain.run import State

ASK = "Have an administrator of the service raise the quota"


async def hold_home(tx: Transaction) -> None:
    """The namespace, in which something was made, is there until that is committed.

    Comes after all other locks. Raises NamespaceNotFound.
    """
    if (home := tx.tenancy.home) != DEFAULT:
        require(await tx.namespaces.hold(home), home)


def check_name(tx: Transaction, name: str) -> None:
    """Raises InvalidInput for one that is too long for the namespace."""
    if is_too_long(tx.tenancy.home, name):
        raise InvalidInput(
            f"The name is too long for the namespace {tx.tenancy.home}.",
            field="name",
            remedy="Use one of 190 characters at most.",
        )


async def admit_schedule(tx: Transaction, definition: JobDefinition, recurrence: Recurrence, at: datetime) -> None:
    """Before the job is made. Raises QuotaExceeded, NamespaceNotFound, InvalidInput."""
    home = tx.tenancy.home
    _check_names(home, definition)
    await _check_interval(require(await tx.namespaces.quotas(home), home), recurrence, at)


async def admit_job(tx: Transaction) -> None:
    """One that was made. Comes after all other locks. Raises QuotaExceeded, NamespaceNotFound."""
    home = tx.tenancy.home
    quotas = require(await tx.namespaces.quotas(home), home)
    if quotas.max_jobs is None:
        await hold_home(tx)
        return
    quotas = require(await tx.namespaces.count_in(home), home)
    if quotas.max_jobs is not None and await tx.namespaces.jobs(home) > quotas.max_jobs:
        raise QuotaExceeded(
            f"The namespace has {quotas.max_jobs} jobs, which is all that it may have.",
            remedy=f"Delete one that is not needed. {ASK}, if it needs more.",
        )


async def admit_change(tx: Transaction, job: PersistedJob, definition: JobDefinition) -> None:
    """What has been there goes on; a schedule that is new must be one that the namespace may have."""
    _check_names(job.namespace, definition)
    recurrence = Recurrence.of(definition, job.anchor)
    if recurrence != Recurrence.of(job, job.anchor):
        quotas = require(await tx.namespaces.quotas(job.namespace), job.namespace)
        await _check_interval(quotas, recurrence, await tx.time())


async def admit_runs(tx: Transaction, job: PersistedJob, count: int, at: datetime) -> None:
    """Of what a person wants to run: all of it, or nothing. Raises QuotaExceeded. The job must be locked."""
    allowances = await tx.namespaces.allowances([job.namespace], day_of(at))
    if (allowance := allowances.get(job.namespace)) is None:
        return
    if allowance.left < count:
        raise QuotaExceeded(
            f"The namespace may make {allowance.runs_per_day} runs a day, of which {allowance.left} are left;"
            f" {count} are asked for.",
            remedy=f"Try again after midnight UTC. {ASK}, if it needs more.",
        )
    allowance.taken = count
    await tx.namespaces.spend(allowances)


async def count_runs(tx: Transaction, rows: Iterable[tuple[PersistedJob, dict[str, Any]]], at: datetime) -> None:
    """Of what was due by itself: where none is left, a run is skipped. The jobs must be locked."""
    rows = list(rows)
    allowances = await tx.namespaces.allowances({job.namespace for job, _ in rows}, day_of(at))
    for job, values in rows:
        if values["state"] is State.PENDING and (allowance := allowances.get(job.namespace)) is not None:
            values.update({} if allowance.take() else skipped(allowance))
    await tx.namespaces.spend(allowances)


def require(quotas: Quotas | None, namespace: str) -> Quotas:
    """Raises NamespaceNotFound."""
    if quotas is None:
        raise NamespaceNotFound(
            f"There is no namespace named {namespace}.", remedy="GET /v1/namespaces lists those that there are."
        )
    return quotas


async def _check_interval(quotas: Quotas, recurrence: Recurrence, at: datetime) -> None:
    if (seconds := quotas.min_interval_seconds) is None:
        return
    pair = await to_thread(closer_than, seconds, recurrence, at)
    if pair is not None:
        raise QuotaExceeded(
            f"It would be due at {rfc3339(pair[0])} and {(pair[1] - pair[0]).total_seconds():.15g} s after that;"
            f" in this namespace {seconds:.15g} s must lie between.",
            field="schedule",
            remedy=f"Use a schedule that is due less often. {ASK}, if it needs more.",
        )


def _check_names(namespace: str, definition: JobDefinition) -> None:
    """A key to share needs no limit to be there, and a calendar must be there: its name has been checked."""
    key = definition.policies.concurrency_key
    if key is not None and is_too_long(namespace, key):
        raise InvalidInput(
            f"concurrency_key: it is too long for the namespace {namespace}.",
            field="concurrency_key",
            remedy="Use one of 190 characters at most.",
        )
