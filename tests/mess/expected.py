"""What became of each instant of the night, written by hand: verdict and sentence, with the blanks of `Pattern`."""

from __future__ import annotations

from collections.abc import Iterable

from tests.mess.jobs import STORMS

Told = tuple[str, str, str]
"""The instant, the verdict and the sentence."""

RAN = "Ran on time, {ms} after it was due, and succeeded with status 200 after {ms}."
_ACTIVE = (
    "Skipped, as overlap is skip: run {run skip 00:10} (for {00:10}, active from {00:10} until {released}) was active."
)
_PAUSED = "Not run: the job was paused from {paused} to {resumed}: moving house."
_AWAY = "Not run: the job was paused from {away} to {back}: nobody is in."
_NOBODY = "no replica was alive from {down} to {up}"
_MISSED = f"Missed: no replica claimed it within its grace of 60 s; {_NOBODY}. It was not caught up:"
_LATE = (
    f"Ran {{00:40 to caught up}} late, and succeeded with status 200 after {{moment}}. It began late, since {_NOBODY}."
)
_IN_RETRY = (
    "Skipped, as overlap is skip: run {run NAME 00:20} (for {00:20}, active from {00:20} until {third}) was active."
)


def _minutes(first: int, last: int, verdict: str, sentence: str) -> list[Told]:
    return [(f"00:{minute}", verdict, sentence) for minute in range(first, last + 1)]


def _caught_up(job: str, at: str, behind: str) -> Told:
    ran = f"Missed in its time, caught up {{{at} to caught up}} later, and succeeded with status 200 after {{moment}}."
    waited = (
        f"it waited behind run {{run {job} {behind}}} (for {{{behind}}}, active from {{caught up}} until {{caught up}})"
    )
    return at, "caught_up", f"{ran} It began late, since {_NOBODY}, and {waited}."


def _on_time(*instants: str) -> list[Told]:
    return [(at, "on_time", RAN) for at in instants]


_IN_ATTEMPT = "Ran on time, {ms} after it was due, and succeeded with status 200 in attempt"
_STORM = [
    ("00:20", "on_time", f"{_IN_ATTEMPT} 3 after {{00:20 to third}}."),
    ("00:20:12", "skipped", _IN_RETRY),
    *_on_time("00:20:24"),
]

DUE: dict[str, list[Told]] = {
    "books": [("23:55", "skipped", "Skipped: the job leaves it out by 2037-10-24."), *_on_time("00:05")],
    "skip": [
        (
            "00:10",
            "on_time",
            "Ran on time, {ms} after it was due, and succeeded with status 200 after {00:10 to released}.",
        ),
        ("00:10:05", "skipped", _ACTIVE),
        ("00:10:10", "skipped", _ACTIVE),
        *_on_time("00:10:15"),
    ],
    "queue": [
        (
            "00:10",
            "on_time",
            "Ran on time, {ms} after it was due, and succeeded with status 200 after {00:10 to released}.",
        ),
        (
            "00:10:05",
            "late",
            (
                "Ran {00:10:05 to released} late, and succeeded with status 200 after {ms}. It began late, since it"
                " waited behind run {run queue 00:10} (for {00:10}, active from {00:10} until {released})."
            ),
        ),
        ("00:10:10", "skipped", "Skipped, as overlap is queue: one run waited already."),
        *_on_time("00:10:15"),
    ],
    "move": [
        *_on_time("00:10"),
        ("00:10:05", "paused", _PAUSED),
        ("00:10:10", "paused", _PAUSED),
        *_on_time("00:10:15"),
    ],
    "change": _on_time("00:10", "00:10:05", "00:10:10", "00:10:18"),
    "brief": [
        (
            "00:20",
            "failed",
            "Ran on time, {ms} after it was due, and failed after 2 attempts, the last with status 503.",
        ),
        ("00:20:12", "on_time", f"{_IN_ATTEMPT} 2 after {{00:20:12 to brief again}}."),
        *_on_time("00:20:24"),
    ],
    **{name: [(at, verdict, text.replace("NAME", name)) for at, verdict, text in _STORM] for name in STORMS},
    "import": [
        (
            "00:30",
            "on_time",
            f"{_IN_ATTEMPT} 2 after {{00:30 to caught up}}. It was taken over from a dead replica once.",
        )
    ],
    "latest": [
        *_on_time("00:30"),
        *_minutes(31, 38, "missed", f"{_MISSED} its misfire policy is latest."),
        _caught_up("latest", "00:39", "00:40"),
        ("00:40", "late", _LATE),
        *_on_time("00:41"),
    ],
    "all": [
        *_on_time("00:30"),
        *_minutes(31, 35, "missed", f"{_MISSED} it was older than its misfire window of 300 s."),
        _caught_up("all", "00:36", "00:40"),
        _caught_up("all", "00:37", "00:36"),
        _caught_up("all", "00:38", "00:37"),
        _caught_up("all", "00:39", "00:38"),
        ("00:40", "late", _LATE),
        *_on_time("00:41"),
    ],
    "none": [
        *_on_time("00:30"),
        *_minutes(31, 39, "missed", f"{_MISSED} its misfire policy is skip."),
        ("00:40", "late", _LATE),
        *_on_time("00:41"),
    ],
    "away": [*_on_time("00:30"), *_minutes(31, 40, "paused", _AWAY), *_on_time("00:41")],
    "first": _on_time("00:30"),
    "last": _on_time("01:30"),
    "both": _on_time("00:30", "01:30"),
    "hourly": _on_time("00:30", "01:30"),
}
"""All that was due, by job."""

_IN_FORCE = "in force since {created}."
_TWICE = "Its local time comes twice that day, and dst_overlap is"

BESIDE: dict[str, list[Told]] = {
    "books": [
        (
            "00:55",
            "ended",
            (
                "Not due: the job ended at {00:30}, its ends_at. The last due instant before it is {00:05}, and there"
                " is none after it."
            ),
        )
    ],
    "change": [
        (
            "00:10:15",
            "not_due",
            (
                "Not due under version 2 (10,18 10 0 * * *, UTC), in force since {changed}. It was due under version 1"
                " (0,5,10,15 10 0 * * *, UTC), which version 2 replaced at {changed}. The nearest due instants are"
                " {00:10:10} before it, and {00:10:18} after it."
            ),
        )
    ],
    "latest": [
        (
            "23:45",
            "not_created",
            "Not due: the job did not exist yet. It was created at {created}, and was first due at {00:30}.",
        )
    ],
    "first": [
        (
            "01:30",
            "not_due",
            (
                f"Not due under version 1 (30 2 * * *, Europe/Berlin), {_IN_FORCE} {_TWICE} first. The nearest due"
                " instants are {00:30} before it, and 2037-10-26T01:30:00Z after it."
            ),
        )
    ],
    "last": [
        (
            "00:30",
            "not_due",
            (
                f"Not due under version 1 (30 2 * * *, Europe/Berlin), {_IN_FORCE} {_TWICE} last. The first due instant"
                " after it is {01:30}, and there is none before it."
            ),
        )
    ],
    "hourly": [
        (
            "01:00",
            "not_due",
            (
                f"Not due under version 1 (30 * * * *, Europe/Berlin), {_IN_FORCE} The nearest due instants are"
                " {00:30} before it, and {01:30} after it."
            ),
        )
    ],
}
"""Instants that were not due, asked for one by one."""

CALLED = {"on_time", "late", "caught_up", "failed"}


def called(told: Iterable[Told]) -> list[str]:
    """The instants for which the target was called."""
    return [at for at, verdict, _ in told if verdict in CALLED]
