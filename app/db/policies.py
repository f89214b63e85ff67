"""Policies as `cron_jobs.policies` has them: what differs from the default."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB

from app.db.tables import cron_jobs
from app.domain.namespace import DEFAULT, qualified
from app.domain.policies import Policies
from app.domain.run import Trigger

_ADAPTER = TypeAdapter(Policies)
_DEFAULT = Policies()


def dump_policies(policies: Policies) -> dict[str, Any]:
    dumped: dict[str, Any] = _ADAPTER.dump_python(policies, mode="json", exclude_defaults=True)
    return dumped


def load_policies(stored: dict[str, Any]) -> Policies:
    """Fields that this program doesn't know are a later one's, and are passed over."""
    return _ADAPTER.validate_python(stored) if stored else _DEFAULT


def uses_calendar(dialect: str, name: str) -> ColumnElement[bool]:
    """Whether a row of `cron_jobs` names the calendar."""
    if dialect == "postgresql":
        return cast(cron_jobs.c.policies, JSONB).contains({"exclude": [{"calendar": name}]})
    if dialect == "mariadb":
        return func.json_contains(cron_jobs.c.policies, json.dumps({"exclude": [{"calendar": name}]})) == 1
    each = func.json_each(cron_jobs.c.policies, "$.exclude").table_valued("value", name="each")
    return select(each.c.value).where(func.json_extract(each.c.value, "$.calendar") == name).exists()


def policies_in_force(stored: dict[str, Any], trigger: Trigger | str, namespace: str = DEFAULT) -> Policies:
    """Those of a run that is under way, its limit by the key that is unique over all namespaces.

    A row that can't be read is set aside, and its runs end by the defaults. Notices have these, whatever their job has.
    """
    if trigger == Trigger.NOTIFY:
        return _DEFAULT
    try:
        policies = load_policies(stored)
    except ValueError:
        return _DEFAULT
    if namespace == DEFAULT or policies.concurrency_key is None:
        return policies
    return replace(policies, concurrency_key=qualified(namespace, policies.concurrency_key))
