"""One tree of errors. A class's docstring is its default message; HTTP is told in `api/errors.py` alone."""

from __future__ import annotations


class CronledgerError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None, *, field: str | None = None, remedy: str | None = None) -> None:
        self.message = message or str(type(self).__doc__)
        self.field = field
        self.remedy = remedy
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message


class InvalidInput(CronledgerError):
    """The input can't be used as it stands."""


class InvalidSchedule(InvalidInput):
    """The schedule can't be read."""


class NeverFires(InvalidSchedule):
    """The schedule has no occurrence before the year 2100."""


class UnknownTimezone(InvalidInput):
    """The time zone is not in the tz database."""


class UnknownCalendar(InvalidInput):
    """There is no calendar of this name for a job to leave out."""


class UnknownSecret(InvalidInput):
    """There is no secret of this name for a call to carry."""


class InvalidCalendar(InvalidInput):
    """The file is not a calendar that can be read."""


class IdempotencyKeyReused(InvalidInput):
    """The key stands for another request."""


class InvalidEndpoint(InvalidInput):
    """The endpoint is not a URL that can be called."""


class Unauthenticated(CronledgerError):
    """The request has no key that can be used."""


class Forbidden(CronledgerError):
    """The key does not allow this."""


class QuotaExceeded(CronledgerError):
    """The namespace may have no more of this."""


class TooManyRequests(CronledgerError):
    """More requests came than are let through."""

    def __init__(self, message: str, *, seconds: float) -> None:
        """`seconds` until the next one is."""
        self.seconds = seconds
        super().__init__(message, remedy="Send fewer, or wait for as long as Retry-After says.")


class InvalidCursor(InvalidInput):
    """The cursor is not one that this API gave out."""


class NotFound(CronledgerError):
    """There is nothing here by that name."""


class JobNotFound(NotFound):
    """There is no job of this name."""


class RunNotFound(NotFound):
    """There is no run with this id."""


class CalendarNotFound(NotFound):
    """There is no calendar of this name."""


class LimitNotFound(NotFound):
    """There is no limit for this key."""


class SecretNotFound(NotFound):
    """There is no secret of this name."""


class KeyNotFound(NotFound):
    """There is no API key with this id."""


class NamespaceNotFound(NotFound):
    """There is no namespace of this name."""


class BackfillNotFound(NotFound):
    """There is no backfill with this id."""


class CallbackNotFound(NotFound):
    """No attempt of a run waits for this callback."""


class Conflict(CronledgerError):
    """The request contradicts what is stored."""


class NameTaken(Conflict):
    """The name exists already."""


class CalendarInUse(Conflict):
    """There are jobs that leave out what this calendar names."""


class SecretInUse(Conflict):
    """There are jobs whose calls carry this secret."""


class NamespaceInUse(Conflict):
    """There is something in this namespace, or it is the one that is always there."""


class RequestInFlight(Conflict):
    """The request that was sent with this key before is still being carried out."""


class AnswerLost(Conflict):
    """The request that was sent with this key was carried out, and its answer was lost."""


class VersionMismatch(CronledgerError):
    """It was changed since the version named in If-Match."""


class RefusedTarget(CronledgerError):
    """The address may not be called from here."""


class SecretUnreadable(CronledgerError):
    """It was encrypted with a key that CRONLEDGER_SECRET_KEYS does not have."""


class UnsendableSecret(CronledgerError):
    """Its value can't be sent where the call is to carry it."""


class IdentityUnavailable(CronledgerError):
    """The keys of the identity provider can't be read just now."""


class StoreUnavailable(CronledgerError):
    """The database can't be reached just now."""


class UnsupportedStore(StoreUnavailable):
    """The database is of a kind or a version that can't be used."""


class TooManyStreams(CronledgerError):
    """As many streams of events are open as this replica may have."""


class ReleaseTooOld(CronledgerError):
    """A later release has removed from the database what this one uses."""
