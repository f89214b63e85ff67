"""What a job must be before it is stored. Raises the InvalidInput tree, each error naming its field."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.domain.acting import current_actor
from app.domain.errors import Forbidden, InvalidInput, NeverFires, RefusedTarget
from app.domain.job import JobDefinition
from app.domain.notice import Notify
from app.domain.recurrence import RESOLUTION, Recurrence
from app.domain.schedule import parse
from app.target.endpoint import canonical_endpoint, check_reach
from app.target.headers import check_headers
from app.target.reach import Reach


def checked(definition: JobDefinition, reach: Reach, *, zone_given: bool = True) -> JobDefinition:
    """The definition in its canonical form: the endpoint as it will be called, the zone that is in effect."""
    zone = definition.timezone if zone_given else None
    schedule = parse(definition.schedule, zone, name=definition.name, day_rule=definition.day_rule)
    endpoint = canonical_endpoint(definition.endpoint or "")
    check_reach(endpoint, reach)
    check_headers(definition.headers)
    _check_auth(definition)
    _check_range(definition)
    notify = tuple(_checked_notify(index, each, reach) for index, each in enumerate(definition.policies.notify))
    policies = replace(definition.policies, notify=notify) if notify else definition.policies
    return replace(definition, endpoint=endpoint, timezone=schedule.timezone, policies=policies)


def require_future(recurrence: Recurrence, after: datetime) -> None:
    """Raises NeverFires for a job that would never be due; one that says `@manual` means it."""
    schedule = recurrence.parsed()
    if not schedule.never_by_itself and recurrence.next_after(after) is None:
        raise NeverFires(
            f"'{recurrence.schedule}' has no occurrence from now on{_bounds(recurrence)} before the year 2100.",
            field="schedule",
            remedy="Use days, years or an instant that are still to come, or @manual.",
        )


def require_admin_unverified(definition: JobDefinition) -> None:
    """Of a job whose targets don't have to prove who they are. Raises Forbidden."""
    actor = current_actor()
    if not definition.policies.tls.verify and actor is not None and not actor.is_admin:
        raise Forbidden(
            f"{actor.name} may not do this: tls.verify is false, which takes the scope admin.",
            field="tls.verify",
            remedy="Leave it out, or have somebody with that scope do it.",
        )


def require_no_callback(definition: JobDefinition) -> None:
    """Of a service that doesn't know its own address."""
    if definition.policies.async_completion is not None:
        raise InvalidInput(
            "async_completion: the service does not know under which address targets reach it.",
            field="async_completion",
            remedy="Set CRONLEDGER_PUBLIC_URL and start it again, or leave it out.",
        )


def _checked_notify(index: int, notify: Notify, reach: Reach) -> Notify:
    """As the job's own endpoint and headers are."""
    try:
        endpoint = canonical_endpoint(notify.endpoint)
        check_reach(endpoint, reach)
        check_headers(notify.headers)
    except (InvalidInput, RefusedTarget) as error:
        place = f"notify.{index}."
        raise type(error)(place + error.message, field=place + (error.field or ""), remedy=error.remedy) from error
    return replace(notify, endpoint=endpoint)


def _check_auth(definition: JobDefinition) -> None:
    if definition.policies.auth and any(name.lower() == "authorization" for name in definition.headers):
        raise InvalidInput(
            "auth: there is an Authorization header beside it.", field="auth", remedy="Leave one of the two out."
        )


def _bounds(recurrence: Recurrence) -> str:
    return " within starts_at and ends_at," if recurrence.starts_at or recurrence.ends_at else ""


def _check_range(definition: JobDefinition) -> None:
    starts, ends = definition.starts_at, definition.ends_at
    if starts is not None and ends is not None and ends < starts + RESOLUTION:
        raise InvalidInput(
            "ends_at is not after starts_at.", field="ends_at", remedy="Use a later instant, or leave it out."
        )
