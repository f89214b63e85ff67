"""iCalendar files that are no calendars, or would be too much of one; and what becomes of each."""

from __future__ import annotations

from datetime import date, timedelta

DAY, TIME = "DTSTART;VALUE=DATE:20300101", "DTSTART:20300101T000000Z\nDURATION:PT1S"
OLD = "DTSTART:19700101T000000Z\nDURATION:PT1S"
LARGE = "413 body-too-large"


def event(*lines: str) -> str:
    return "\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT"])


def file(*parts: str) -> bytes:
    """The first part begins on line 2."""
    return "\n".join(["BEGIN:VCALENDAR", *parts, "END:VCALENDAR"]).encode()


def at(line: int) -> str:
    return f"422 invalid-calendar line {line}"


_SIXTY = ",".join(map(str, range(60)))
_EVENTS = {
    "nothing": "",
    "a summary": "SUMMARY:a",
    "every second": f"{TIME}\nRRULE:FREQ=SECONDLY",
    "every minute": f"{TIME}\nRRULE:FREQ=MINUTELY",
    "every hour": f"{TIME}\nRRULE:FREQ=HOURLY;COUNT=1",
    "every second of a day": f"{TIME}\nRRULE:FREQ=DAILY;BYHOUR={_SIXTY[:61]};BYMINUTE={_SIXTY};BYSECOND={_SIXTY}",
    "two days in one": f"{OLD}\nRRULE:FREQ=DAILY\nRRULE:FREQ=DAILY;BYHOUR=5",
    "every so often": f"{DAY}\nRRULE:FREQ=SOMETIMES",
    "no frequency": f"{DAY}\nRRULE:COUNT=1",
    "an empty rule": f"{DAY}\nRRULE:",
    "a rule of text": f"{DAY}\nRRULE:FREQ",
    "no interval": f"{DAY}\nRRULE:FREQ=DAILY;INTERVAL=0",
    "an interval backwards": f"{DAY}\nRRULE:FREQ=DAILY;INTERVAL=-1",
    "an interval of letters": f"{DAY}\nRRULE:FREQ=DAILY;INTERVAL=x",
    "a count of letters": f"{DAY}\nRRULE:FREQ=DAILY;COUNT=x",
    "an end of letters": f"{DAY}\nRRULE:FREQ=DAILY;UNTIL=never",
    "a day of letters": f"{DAY}\nRRULE:FREQ=WEEKLY;BYDAY=XX",
    "another calendar": f"{DAY}\nRRULE:RSCALE=CHINESE;FREQ=YEARLY",
    "an old rule": f"{DAY}\nEXRULE:FREQ=DAILY",
    "no day": "DTSTART:",
    "a day of letters, too": "DTSTART:soon",
    "a day that is none": "DTSTART;VALUE=DATE:20300230",
    "month 13": "DTSTART;VALUE=DATE:20301301",
    "the year 0": "DTSTART;VALUE=DATE:00000101",
    "a long year": "DTSTART;VALUE=DATE:100000101",
    "a number": "DTSTART:" + "9" * 5000,
    "digits of another script": "DTSTART;VALUE=DATE:\u0662\u0660\u0663\u0660\u0660\u0661\u0660\u0661",
    "hour 24": "DTSTART:20300101T240000Z",
    "two starts": f"{DAY}\n{DAY}",
    "a length for a start": "DTSTART:PT5H",
    "a zone of a path": "DTSTART;TZID=../../etc/passwd:20300101T000000",
    "a zone of a whole path": "DTSTART;TZID=/etc/passwd:20300101T000000",
    "a zone of nowhere": "DTSTART;TZID=Nowhere/Land:20300101T000000",
    "a zone of a path within": "DTSTART;TZID=Europe/../UTC:20300101T000000",
    "a zone of the machine": "DTSTART;TZID=right/UTC:20300101T000000",
    "another zone of the machine": "DTSTART;TZID=posix/Europe/Berlin:20300101T000000",
    "its own zone": "DTSTART;TZID=localtime:20300101T000000",
    "no place": "DTSTART;TZID=Factory:20300101T000000",
    "a zone of a list": "DTSTART;TZID=zone.tab:20300101T000000",
    "a zone of a program": "DTSTART;TZID=__init__.py:20300101T000000",
    "a zone with NUL": "DTSTART;TZID=UTC\0:20300101T000000",
    "a long zone": f"DTSTART;TZID={'A' * 255}:20300101T000000",
    "an end before": f"{DAY}\nDTEND;VALUE=DATE:20291231",
    "an end of another kind": f"{DAY}\nDTEND:20300102T000000Z",
    "an end of letters, too": f"{DAY}\nDTEND:soon",
    "a length backwards": f"{DAY}\nDURATION:-P1D",
    "a length of letters": f"{DAY}\nDURATION:long",
    "a length without end": f"{DAY}\nDURATION:P99999999999999D",
    "another day of letters": f"{DAY}\nRDATE:soon",
    "a day without of letters": f"{DAY}\nEXDATE:soon",
    "a place of letters": f"{DAY}\nRECURRENCE-ID:soon",
    "many days": f"{DAY}\nRDATE;VALUE=DATE:"
    + ",".join(f"{date(2030, 1, 1) + timedelta(n):%Y%m%d}" for n in range(6000)),
}

FILES: dict[str, tuple[bytes, str]] = {
    **{name: (file(event(lines)), at(2)) for name, lines in _EVENTS.items()},
    "empty": (b"", at(1)),
    "blank": (b"\r\n \r\n\t", at(1)),
    "JSON": (b'{"entries": []}', at(1)),
    "HTML": (b"<!DOCTYPE html><html></html>", at(1)),
    "an address": (b"BEGIN:VCARD\nEND:VCARD", at(1)),
    "an event alone": (event(DAY).encode(), at(1)),
    "UTF-16": (file(event(DAY)).decode().encode("utf-16"), at(1)),
    "no UTF-8": (file(event(DAY, "SUMMARY:\ufffe")).replace(b"\xef\xbf\xbe", b"\xff"), at(4)),
    "half a letter": (file(event(DAY)) + b"\xc3", at(5)),
    "surrogates": (file(event(DAY, "SUMMARY:a")).replace(b":a", b":\xed\xa0\x80"), at(4)),
    "NUL before": (b"\0" + file(event(DAY)), at(1)),
    "old lines": (file(event(DAY)).replace(b"\n", b"\r"), at(1)),
    "no end": (file(event(DAY))[:-14], at(4)),
    "no end of an event": (file("BEGIN:VEVENT", DAY), at(4)),
    "an end alone": (file("END:VEVENT"), at(2)),
    "an end of another": (file("BEGIN:VEVENT", DAY, "END:VTODO"), at(4)),
    "two ends": (file() + b"\nEND:VCALENDAR", at(3)),
    "deep": (file(*["BEGIN:X"] * 20_000), at(20_002)),
    "5,001 events": (file(*[event(DAY)] * 5001), at(2 + 5000 * 3 + 2)),
    "two calendars of days": (
        file(event(f"{OLD}\nRRULE:FREQ=DAILY"), event(f"{OLD}\nRRULE:FREQ=DAILY;BYHOUR=5")),
        at(7),
    ),
    "a million events": (file(*[event(DAY)] * 1_000_000), LARGE),
    "a long line": (file(event(DAY, "SUMMARY:" + "a" * 300_000)), LARGE),
}
"""All refused."""

WHOLE: dict[str, tuple[bytes, int]] = {
    "a mark of the order of bytes": (b"\xef\xbb\xbf" + file(event(DAY)), 1),
    "a summary of 200,000 letters": (file(event(DAY, "SUMMARY:" + "a" * 200_000)), 1),
    "a line that was folded 60,000 times": (file(event(DAY, "SUMMARY:a" + "\n b" * 60_000)), 1),
    "20,000 parameters": (file(event(DAY, "SUMMARY" + ";X=1" * 20_000 + ":a")), 1),
    "200,000 quotes": (file(event(DAY, 'UID;X="' + "a" * 200_000 + '":a')), 1),
    "200,000 backslashes": (file(event(DAY, "SUMMARY:" + "\\" * 200_000)), 1),
    "controls": (file(event(DAY, "SUMMARY:\x00\x1b[2J\x7f\u202ea")), 1),
    "formulas": (file(event(DAY, "SUMMARY:=cmd|' /C calc'!A0")), 1),
    "a calendar within a calendar": (file(file(event(DAY)).decode()), 0),
    "a calendar after a calendar": (file(event(DAY)) + b"\n" + file(event(TIME)), 2),
    "an event within an event": (file("BEGIN:VEVENT", DAY, event(TIME), "END:VEVENT"), 1),
    "10,000 alarms": (file("BEGIN:VEVENT", DAY, *["BEGIN:VALARM", "END:VALARM"] * 9000, "END:VEVENT"), 1),
    "a time zone of its own": (
        file("BEGIN:VTIMEZONE\nTZID:UTC\nBEGIN:STANDARD\nDTSTART:X\nRRULE:FREQ=SECONDLY\nEND:STANDARD\nEND:VTIMEZONE"),
        0,
    ),
    "a URL": (file(event(DAY, "URL:file:///etc/passwd", "ATTACH:http://169.254.169.254/")), 1),
    "a billion days": (file(event("DTSTART;VALUE=DATE:20900101", "RRULE:FREQ=DAILY;COUNT=1000000000")), 1),
    "the last of all years": (file(event("DTSTART;VALUE=DATE:99991230", "RRULE:FREQ=YEARLY")), 0),
    "the first of all years": (file(event("DTSTART;VALUE=DATE:00010101")), 0),
    "a length of all years": (file(event("DTSTART;VALUE=DATE:19700101", "DTEND;VALUE=DATE:99991231")), 1),
    "5,000 times the same": (file(*[event(DAY)] * 5000), 1),
}
"""All taken, and how many entries come of each."""
