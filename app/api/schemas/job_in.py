"""A job on its way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.credentials import AuthPatch, Signing
from app.api.schemas.exclude import Exclude
from app.api.schemas.fields import (
    Description,
    Enabled,
    Endpoint,
    Headers,
    HeadersPatch,
    Instant,
    JobName,
    JsonBody,
    Labels,
    LabelsPatch,
    Method,
    NewName,
    ScheduleText,
    Timeout,
    Timezone,
)
from app.api.schemas.policies import (
    AsyncPatch,
    Deadline,
    Failures,
    Jitter,
    KeepRuns,
    Key,
    MaxQueued,
    MaxRedirects,
    MaxRuns,
    MisfirePatch,
    Notify,
    PolicyFields,
    RetryPatch,
    SuccessPatch,
    TlsPatch,
    policy_values,
)
from app.domain.job import DayRule, DstGap, DstOverlap, JobDefinition, PersistedJob
from app.domain.masking import masked_headers
from app.domain.policies import Delivery, Overlap

EXAMPLE: dict[str, Any] = {
    "name": "nightly-report",
    "schedule": "30 3 * * MON-FRI",
    "timezone": "Europe/Berlin",
    "endpoint": "https://example.com/hooks/report",
    "labels": {"team": "billing"},
    "body": {"kind": "daily"},
}
_PLAIN = [each.name for each in fields(JobDefinition) if each.name not in ("name", "policies")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Plain(_Body):
    schedule: ScheduleText = Field(description="When the job is due, such as `0 9 * * MON-FRI` or `@every 90s`.")
    endpoint: Endpoint = Field(description="The http or https URL that is called.")
    timezone: Timezone = Field("UTC", description="Name of the tz database in which the schedule is read.")
    day_rule: DayRule = Field(
        DayRule.OR, description="How day of month and day of week combine where both are restricted: either, or both."
    )
    enabled: Enabled = True
    description: Description = ""
    labels: Labels = Field({}, description="For filters: at most 64.")
    method: Method = "POST"
    headers: Headers = Field(
        {},
        description="Sent with each call: at most 64, and 8 KiB together. Named like credentials they are encrypted.",
    )
    body: JsonBody = Field(
        None,
        description="Any JSON of at most 256 KiB and 64 levels; a string is sent as it is, null sends the run's facts. "
        '`{"secret": "<name>"}` stands for a secret, wherever in it.',
    )
    timeout_seconds: Timeout = Field(30.0, description="From looking the name up to the last byte of the answer.")
    starts_at: Instant | None = Field(None, description="Not due before; also the phase of `@every`.")
    ends_at: Instant | None = Field(None, description="Not due after.")
    dst_gap: DstGap = Field(
        DstGap.AFTER, description="What a fixed schedule does with a local time that the clock jumps over."
    )
    dst_overlap: DstOverlap = Field(
        DstOverlap.FIRST, description="What a fixed schedule does with a local time that comes twice."
    )


class JobFields(PolicyFields, _Plain):
    """What a job is, apart from its name."""

    def definition(self, name: str) -> JobDefinition:
        plain = {each: getattr(self, each) for each in _PLAIN}
        return JobDefinition(name=name, **plain, policies=self.policies())

    @classmethod
    def merged(cls, job: PersistedJob, patch: Mapping[str, Any]) -> Self:
        """The job after a JSON merge patch (RFC 7396). Raises ValidationError."""
        now = {each: getattr(job, each) for each in _PLAIN} | policy_values(job)
        now["headers"] = masked_headers(job.headers)
        now = {each: value for each, value in now.items() if value is not None}
        return cls.model_validate(merge(now, {name: value for name, value in patch.items() if name != "name"}))


class JobIn(JobFields):
    """A new job."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: NewName


class JobPut(JobFields):
    """The whole of a job; the name may be left out, since the path has it."""

    name: JobName | None = None


def _without_defaults(schema: dict[str, Any]) -> None:
    for each in schema["properties"].values():
        each.pop("default")


class JobPatch(_Body):
    """A JSON merge patch: what is left out stays, null goes back to the default."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: JobName = ""
    schedule: ScheduleText = ""
    endpoint: Endpoint = ""
    timezone: Timezone | None = None
    day_rule: DayRule | None = None
    enabled: Enabled | None = None
    description: Description | None = None
    labels: LabelsPatch | None = None
    method: Method | None = None
    headers: HeadersPatch | None = None
    body: JsonBody = None
    timeout_seconds: Timeout | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    dst_gap: DstGap | None = None
    dst_overlap: DstOverlap | None = None
    overlap: Overlap | None = None
    max_queued: MaxQueued | None = None
    misfire: MisfirePatch | None = None
    retry: RetryPatch | None = None
    delivery: Delivery | None = None
    deadline_seconds: Deadline | None = None
    success: SuccessPatch | None = None
    max_redirects: MaxRedirects | None = None
    jitter_seconds: Jitter | None = None
    max_runs: MaxRuns | None = None
    pause_after_failures: Failures | None = None
    concurrency_key: Key | None = None
    exclude: Exclude | None = None
    async_completion: AsyncPatch | None = None
    notify: Notify | None = None
    keep_runs: KeepRuns | None = None
    auth: AuthPatch | None = None
    signing: Signing | None = None
    tls: TlsPatch | None = None

    def given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.model_fields_set}


def merge(target: object, patch: object) -> object:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged
