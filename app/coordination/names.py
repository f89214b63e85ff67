"""Keys and channels, below a prefix: channels are shared by all databases of a Redis."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Names:
    prefix: str

    @property
    def changes(self) -> str:
        """Channel: ids of jobs that changed, or nothing where many have."""
        return f"{self.prefix}:changes"

    @property
    def members(self) -> str:
        """Channel: a replica joined or left."""
        return f"{self.prefix}:members"

    def running(self, run: UUID) -> str:
        return f"{self.prefix}:running:{run}"

    def replica(self, replica: UUID) -> str:
        return f"{self.prefix}:replica:{replica}"

    def last_run(self, job: str) -> str:
        return f"{self.prefix}:last_run:{job}"
