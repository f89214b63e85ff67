"""iCalendar files: each is read within bounds, or refused with its line, and the calendar stays as it was."""

from __future__ import annotations

from typing import Any

from httpx2 import AsyncClient

from tests.hostile.files import FILES, WHOLE
from tests.hostile.verdicts import stored, verdict

PATH = "/v1/calendars/old/import"
SENT: dict[str, Any] = {"headers": {"Content-Type": "text/calendar"}}
ENTRIES = [{"date": "2027-12-24"}]


async def test_a_file_that_is_no_calendar_changes_none(admin: AsyncClient) -> None:
    await admin.put("/v1/calendars/old", json={"entries": ENTRIES})
    before = await stored(admin)
    found = {name: await verdict(admin, "POST", PATH, content=file, **SENT) for name, (file, _) in FILES.items()}
    assert {name: said for name, said in found.items() if said != FILES[name][1]} == {}
    assert await stored(admin) == before
    assert (await admin.get("/v1/calendars/old")).json()["entries"] == ENTRIES


async def test_a_file_that_only_looks_odd_is_read(admin: AsyncClient) -> None:
    found = {}
    for name, (file, _) in WHOLE.items():
        await admin.put("/v1/calendars/old", json={"entries": ENTRIES})
        said = await verdict(admin, "POST", PATH, content=file, **SENT)
        entries = (await admin.get("/v1/calendars/old")).json()["entries"]
        assert all(len(each.get("summary", "")) <= 255 for each in entries)
        found[name] = (said, len(entries))
    assert {name: told for name, told in found.items() if told != ("200", WHOLE[name][1])} == {}
