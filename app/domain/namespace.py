"""Namespaces: each has its own jobs, calendars, limits, secrets and keys, and none sees another's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

DEFAULT = "default"
"""Where everything is of which nobody has said otherwise."""

NAME_PATTERN = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

RESERVED = "cronledger"
"""The namespace of the service itself: what its keys begin with, such as that of what is caught up, is no tenant's."""

OVER_QUOTA = "quota: "

_SEPARATOR = ":"
_LONGEST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """None is any number. `requests_per_second` counts at each replica, `runs_per_day` the days of UTC."""

    max_jobs: int | None = None
    min_interval_seconds: float | None = None
    runs_per_day: int | None = None
    requests_per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A row of `namespaces`. `runs_today` is counted while there is a quota of runs, and None otherwise."""

    name: str
    quotas: Quotas
    created_at: datetime
    updated_at: datetime
    jobs: int
    runs_today: int | None


@dataclass(slots=True)
class Allowance:
    """What is left of a day's runs to a namespace; `taken` are those of this transaction."""

    runs_per_day: int
    made: int
    day: date
    taken: int = 0

    @property
    def left(self) -> int:
        return max(self.runs_per_day - self.made - self.taken, 0)

    def take(self) -> bool:
        """One run, if there is one left."""
        if not self.left:
            return False
        self.taken += 1
        return True

    @property
    def reason(self) -> str:
        """Of a run for which there was none."""
        return f"{OVER_QUOTA}the namespace has made its {self.runs_per_day} runs of the day"


def is_name(text: str) -> bool:
    """Whether a namespace can have this name."""
    return re.fullmatch(NAME_PATTERN, text) is not None


def entry_key(namespace: str, job: str) -> str:
    """By what the entry map knows a job: its name, with its namespace before it outside of `default`.

    A name of before, which may hold a slash, has it before it in any case, lest it be read as another namespace's.
    """
    return job if namespace == DEFAULT and "/" not in job else f"{namespace}/{job}"


def qualified(namespace: str, name: str) -> str:
    """By what the database knows a calendar, a limit or a secret.

    None of their names holds a colon; a text that does where one is to be named, as in a job of before, is nobody's.
    """
    return name if namespace == DEFAULT and _SEPARATOR not in name else f"{namespace}{_SEPARATOR}{name}"


def plain(key: str) -> str:
    """The name that was qualified."""
    return key.rpartition(_SEPARATOR)[2]


def is_too_long(namespace: str, name: str) -> bool:
    """Whether it can't be kept, qualified."""
    return len(qualified(namespace, name)) > _LONGEST


def prefix(namespace: str) -> str:
    """How the keys of a namespace other than `default` begin."""
    return f"{namespace}{_SEPARATOR}"
