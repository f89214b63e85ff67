"""When a job of these runs is due, by arithmetic alone: it knows nothing of the service's schedules."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from faults.facts import Job

SCHEDULES = {1: "* * * * * *", 2: "*/2 * * * * *", 5: "*/5 * * * * *", 60: "* * * * *"}
"""What to ask the service for, by the seconds between two instants, all of which divide a minute."""


def due(job: Job, end: datetime) -> list[datetime]:
    """Every multiple of the seconds from the first instant on, up to and including the end."""
    first = math.ceil(job.first.timestamp() / job.every) * job.every
    return [datetime.fromtimestamp(at, UTC) for at in range(first, int(end.timestamp()) + 1, job.every)]
