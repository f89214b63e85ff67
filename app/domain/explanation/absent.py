"""Instants that have no run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from app.domain.explanation.facts import Facts, Finding
from app.domain.explanation.missed import missed
from app.domain.explanation.words import lasting, named, nobody, schedule_of, told
from app.domain.history import Version
from app.domain.misfire import DST
from app.domain.span import PAUSED, STOPPED, UNSCHEDULABLE, Span

Told = tuple[Finding, str]


def of_span(facts: Facts, span: Span) -> Told:
    since, note = told(span.after), f": {span.note}" if span.note else ""
    is_or_was = f"is {{}} since {since}" if span.until is None else f"was {{}} from {since} to {told(span.until)}"
    if span.reason == PAUSED:
        return Finding.PAUSED, f"Not run: the job {is_or_was.format('paused')}{note}."
    if span.reason == STOPPED:
        return Finding.STOPPED, f"Not run: the scheduler {is_or_was.format('stopped by its switch')}{note}."
    if span.reason == UNSCHEDULABLE:
        problem = facts.standing.problem if span.until is None else None
        when = f"from {since} to {told(span.until)}" if span.until else f"since {since}"
        return (
            Finding.UNSCHEDULABLE,
            f"Not run: the job could not be scheduled {when}{f': {problem}' if problem else '.'}",
        )
    count = f" It is one of {span.count} instants of a span." if span.count else ""
    return Finding.MISSED, missed(facts, span.reason) + count


def of_no_version(facts: Facts) -> Told:
    """Before the first version, or after the last."""
    versions = facts.standing.history.versions
    if not versions:
        return Finding.NOT_CREATED, "Nothing is known of the job at this instant."
    first, last = versions[0], versions[-1]
    if facts.at <= first.since:
        following = facts.standing.history.next_after(first.since)
        then = f", and was first due at {told(following)}" if following else ""
        return Finding.NOT_CREATED, f"Not due: the job did not exist yet. It was created at {told(first.since)}{then}."
    assert last.until is not None  # noqa: S101  # or it would hold the instant
    before = facts.standing.history.previous_before(facts.at)
    was = f" It was last due at {told(before)}." if before else ""
    return Finding.DELETED, f"Not due: the job was deleted at {told(last.until)}.{was}"


def of_version(facts: Facts, version: Version) -> Told:
    """A version was in force, and neither a run nor a span tells of the instant."""
    if version.recurrence is None:
        return _unschedulable(facts)
    if not version.is_due(facts.at):
        return _not_due(facts, version)
    return _aged_out(facts, version) or _due(facts, version)


def _due(facts: Facts, version: Version) -> Told:
    if facts.exhausted:
        most = facts.policies.max_runs
        return Finding.ENDED, f"Not due: the job had made the {most} runs that max_runs allows, and was completed."
    now, next_run = facts.standing.now, facts.standing.next_run
    if facts.at > now:
        return Finding.TO_COME, " ".join(_to_come(facts, version))
    if next_run is not None and next_run <= facts.at:
        return Finding.UNCLAIMED, _unclaimed(facts)
    return _missing(version)


def _aged_out(facts: Facts, version: Version) -> Told | None:
    """Of what has gone nobody can say whether the job had made all its runs by then."""
    standing, due = facts.standing, f"Aged out: {named(version)} was due, and"
    if standing.next_run is not None and standing.next_run <= facts.at:
        return None
    if facts.at < standing.kept_since:
        return Finding.FORGOTTEN, f"{due} runs are kept since {told(standing.kept_since)}."
    until = standing.pruned_until
    if until is None or facts.at >= until:
        return None
    keeps = "" if standing.keep_runs is None else f"the job keeps {standing.keep_runs} runs: "
    return Finding.FORGOTTEN, f"{due} {keeps}those before {told(until)} have gone."


def _missing(version: Version) -> Told:
    return Finding.UNACCOUNTED, (
        f"Unaccounted for: {named(version)} was due, and the ledger has neither a run nor a span for it."
        " A row was removed, or something is wrong with the ledger."
    )


def _unschedulable(facts: Facts) -> Told:
    version = facts.version
    which = "" if version is None else f" of version {version.number} ({version.job.schedule})"
    why = f": {version.problem}" if version and version.problem else "."
    return Finding.UNSCHEDULABLE, f"Nobody can say: the definition{which} can't be read by this program{why}"


def _not_due(facts: Facts, version: Version) -> Told:
    history, at, job = facts.standing.history, facts.at, version.job
    finding, said = Finding.NOT_DUE, [f"Not due under {named(version)}, in force since {told(version.since)}."]
    if job.ends_at is not None and at > job.ends_at:
        finding, said = Finding.ENDED, [f"Not due: the job ended at {told(job.ends_at)}, its ends_at."]
    elif job.starts_at is not None and at < job.starts_at:
        said = [f"Not due: the job is due from {told(job.starts_at)} on, its starts_at."]
    elif version.in_fold(at):
        said += [f"Its local time comes twice that day, and dst_overlap is {job.dst_overlap}."]
    if changed := history.changed_from(at, version):
        old, new = changed
        said += [f"It was due under {named(old)}, which version {new.number} replaced at {told(new.since)}."]
    if (later := history.changed_to(at, version)) is not None:
        said += [f"It would be due under {named(later)}, in force only since {told(later.since)}."]
    return finding, " ".join([*said, *_nearest(facts)])


def _nearest(facts: Facts) -> Iterator[str]:
    history = facts.standing.history
    before, after = history.previous_before(facts.at), history.next_after(facts.at)
    if after and after > facts.standing.now and facts.standing.completed:
        after = None
    if before and after:
        yield f"The nearest due instants are {told(before)} before it, and {told(after)} after it."
    elif before:
        yield f"The last due instant before it is {told(before)}, and there is none after it."
    elif after:
        yield f"The first due instant after it is {told(after)}, and there is none before it."
    else:
        yield "It is never due by itself."


def _to_come(facts: Facts, version: Version) -> Iterator[str]:
    standing, policies = facts.standing, facts.policies
    yield f"To come: due in {lasting(facts.at - standing.now)}, by {schedule_of(version)}."
    if version.skips(facts.at):
        yield f"It will be skipped: {DST.removeprefix('dst: ')}, and dst_gap is skip."
    if facts.excluded:
        yield f"It will be skipped: the job leaves it out by {facts.excluded}."
    span, until = standing.stopped, standing.paused_until
    if span is not None and span.reason == PAUSED and until is not None and until < facts.at:
        yield f"The job is paused, and goes on at {told(until)}."
    elif span is not None:
        what = {PAUSED: "The job is paused", STOPPED: "The scheduler is stopped by its switch"}
        stands = what.get(span.reason, "The job stands still")
        yield f"{stands} since {told(span.after)}: it is not run unless that ends before."
    if policies.max_runs is not None:
        yield f"The job has made {standing.runs_made} of the {policies.max_runs} runs that max_runs allows."


def _unclaimed(facts: Facts) -> str:
    waited = facts.standing.now - facts.at
    said = f"Due {lasting(waited)} ago, and not claimed yet"
    if (outage := facts.outage(facts.at, facts.standing.now)) and outage.end is None:
        return f"{said}: {nobody(outage)}."
    misfire = facts.policies.misfire
    if waited <= timedelta(seconds=misfire.grace_seconds):
        return f"{said}: a replica is alive, and claims it in a moment."
    return f"{said}, though a replica is alive: it is a misfire by now, and its policy, {misfire.policy}, will decide."
