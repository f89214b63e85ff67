"""From the facts of an instant to its explanation."""

from __future__ import annotations

from dataclasses import replace

from app.domain.explanation.absent import of_no_version, of_span, of_version
from app.domain.explanation.facts import Explanation, Facts, Finding
from app.domain.explanation.runs import by_hand, of_run
from app.domain.schedule import load_zone


def explain(facts: Facts) -> Explanation:
    """A run tells most, then the course of the job, then a span, then its schedule alone."""
    finding, sentence = _told(facts)
    version = facts.version
    return Explanation(
        at=facts.at,
        local=facts.at.astimezone(load_zone("UTC" if version is None else version.timezone)),
        finding=finding,
        sentence=" ".join([sentence, *by_hand(facts)]),
        run=facts.run,
        span=facts.span if facts.run is None and finding in _OF_SPANS else None,
        version=None if version is None else version.number,
        by_hand=facts.by_hand,
    )


def nothing_due(facts: Facts) -> Explanation:
    """Of a stretch without a due instant; the facts are those of its first moment."""
    found = explain(facts)
    return replace(found, sentence=f"Nothing is due in what was asked for. At its beginning: {found.sentence}")


_OF_SPANS = {Finding.PAUSED, Finding.STOPPED, Finding.MISSED, Finding.UNSCHEDULABLE}


def _told(facts: Facts) -> tuple[Finding, str]:
    version, span = facts.version, facts.span
    if facts.run is not None:
        return of_run(facts, facts.run)
    if version is None:
        return of_no_version(facts)
    concerned = version.recurrence is None or version.is_due(facts.at)
    if span is not None and concerned and not facts.exhausted and facts.at <= facts.standing.now:
        return of_span(facts, span)
    return of_version(facts, version)
