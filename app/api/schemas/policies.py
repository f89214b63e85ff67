"""The policies of a job, each a field of its own."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from app.api.schemas.credentials import BasicAuth, BearerAuth, Signing, TlsFields, credential_values
from app.api.schemas.exclude import Exclude, tell_item
from app.api.schemas.fields import ANY_JSON, NO_NUL, WHOLE, Endpoint, Headers, JsonBody
from app.api.schemas.text import fault
from app.domain.job import JobDefinition
from app.domain.masking import masked_headers
from app.domain.notice import Event
from app.domain.notice import Notify as Rule
from app.domain.policies import AsyncCompletion, Delivery, Misfire, MisfirePolicy, Overlap, Policies
from app.domain.retry import Retry
from app.domain.success import Success

_YEAR = 366 * 86400

_Seconds = Annotated[float, Field(ge=0, le=_YEAR, strict=True, allow_inf_nan=False)]
_Duration = Annotated[float, Field(gt=0, le=_YEAR, strict=True, allow_inf_nan=False)]
_Status = Annotated[str, Field(pattern="^[1-5]([0-9]{2}|xx)$")]
_Failure = Annotated[str, Field(pattern="^(connect|timeout|protocol|body|callback|[1-5]([0-9]{2}|xx))$")]
_POINTER = r"^(/([^~/\u0000]|~[01])*)*$"
_Pointer = Annotated[str, Field(max_length=255, pattern=_POINTER)]
_POINTERS = WithJsonSchema(
    {
        "type": "object",
        "maxProperties": 20,
        "propertyNames": {"type": "string", "maxLength": 255, "pattern": _POINTER},
        "additionalProperties": {"format": ANY_JSON},
    }
)

MaxQueued = Annotated[int, Field(ge=1, le=1000, strict=True), WHOLE]
Deadline = _Duration
Jitter = Annotated[float, Field(ge=0, le=86400, strict=True, allow_inf_nan=False)]
MaxRedirects = Annotated[int, Field(ge=0, le=10, strict=True), WHOLE]
MaxRuns = Annotated[int, Field(ge=1, le=2**53, strict=True), WHOLE]
KeepRuns = Annotated[int, Field(ge=1, le=1_000_000, strict=True), WHOLE]
Failures = Annotated[int, Field(ge=1, le=1_000_000, strict=True), WHOLE]
Key = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._/-]{0,254}$")]


class _Policy(BaseModel):
    model_config = ConfigDict(extra="forbid")


class MisfireFields(_Policy):
    """What becomes of an occurrence that nobody claimed in time."""

    policy: MisfirePolicy = Field(default=MisfirePolicy.LATEST, description="Which of them are caught up.")
    grace_seconds: Annotated[float, Field(ge=1, le=86400, strict=True, allow_inf_nan=False)] = Field(
        default=60.0, description="An occurrence that is claimed later than this is a misfire."
    )
    window_seconds: _Seconds = Field(default=86400.0, description="What is older than this is missed.")
    max: Annotated[int, Field(ge=1, le=1000, strict=True), WHOLE] = Field(
        default=100, description="So many have a row each, the newest; those before them are missed, as a span."
    )


class RetryFields(_Policy):
    """When a failed attempt is made again."""

    max_attempts: Annotated[int, Field(ge=1, le=100, strict=True), WHOLE] = Field(
        default=3, description="With the first."
    )
    min_backoff_seconds: Annotated[float, Field(ge=0, le=86400, strict=True, allow_inf_nan=False)] = 5.0
    max_backoff_seconds: Annotated[float, Field(ge=0, le=604800, strict=True, allow_inf_nan=False)] = 3600.0
    multiplier: Annotated[float, Field(ge=1, le=100, strict=True, allow_inf_nan=False)] = 2.0
    jitter: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="Adds up to half to each backoff, up to the maximum."
    )
    max_duration_seconds: _Duration | None = Field(
        default=None, description="From the first attempt; no later one is due after it."
    )
    on: Annotated[list[_Failure], Field(max_length=20)] = Field(
        default=["connect", "timeout", "429", "5xx"],
        description="Statuses, `connect` (with dns and tls), `timeout`, `protocol`, `body` (not as `success` asks), "
        "`callback` (the target called back and said that it failed).",
    )

    @model_validator(mode="after")
    def _bounds(self) -> RetryFields:
        if self.max_backoff_seconds < self.min_backoff_seconds:
            raise fault(
                "backoff",
                "max_backoff_seconds is less than min_backoff_seconds",
                "Raise it, or lower min_backoff_seconds.",
            )
        return self


class SuccessFields(_Policy):
    """What counts as success; all of it must hold."""

    status: Annotated[list[_Status], Field(min_length=1, max_length=20)] = ["2xx"]
    body_contains: Annotated[str, Field(min_length=1, max_length=1024, pattern=NO_NUL)] | None = None
    body_json: Annotated[dict[_Pointer, JsonBody], Field(max_length=20), _POINTERS] = Field(
        default={}, description="JSON pointers (RFC 6901), and the values that must stand there."
    )


class AsyncFields(_Policy):
    """A target that answers 202 is done when it calls back."""

    timeout_seconds: Annotated[float, Field(gt=0, le=30 * 86400, strict=True, allow_inf_nan=False)] = Field(
        description="From the answer or the last heartbeat; without a callback by then the attempt has failed."
    )


class NotifyFields(_Policy):
    """Who is told of a change of state. Each notice is a run of its own, with `trigger` `notify`."""

    on: Annotated[list[Event], Field(min_length=1, max_length=len(Event))] = Field(
        description="`failure`: the first failed run after a success; `recovery`: the first success after that; "
        "`missed`: once an outage; `lost`: each run; `auto_paused`."
    )
    endpoint: Endpoint = Field(description="The http or https URL to which each notice is POSTed.")
    headers: Headers = Field(default={}, description="Sent with each notice, as a job's are.")

    def rule(self) -> Rule:
        return Rule(on=tuple(self.on), endpoint=self.endpoint, headers=self.headers)


Notify = Annotated[list[NotifyFields], Field(max_length=5)]


class PolicyFields(BaseModel):
    """What decides about a job's occurrences and about their runs."""

    overlap: Overlap = Field(
        default=Overlap.SKIP, description="What a scheduled run does while another run of its job is active."
    )
    max_queued: MaxQueued = Field(
        default=1, description="So many runs wait where `overlap` is `queue`; the next is skipped."
    )
    misfire: MisfireFields = MisfireFields()
    retry: RetryFields = RetryFields()
    delivery: Delivery = Field(
        default=Delivery.AT_LEAST_ONCE,
        description="What becomes of a run whose replica died: another attempt, or `lost`.",
    )
    deadline_seconds: Deadline | None = Field(
        default=None, description="For a run with all its attempts and waits, from when it was due."
    )
    success: SuccessFields = SuccessFields()
    max_redirects: MaxRedirects = Field(
        default=0, description="So many are followed, each checked as an endpoint is; one more is the answer."
    )
    jitter_seconds: Jitter = Field(
        default=0.0, description="Each run is due up to so much later, the same for its instant."
    )
    max_runs: MaxRuns | None = Field(default=None, description="After so many runs the job is completed.")
    pause_after_failures: Failures | None = Field(
        default=None, description="After so many failed runs in a row the job pauses itself."
    )
    concurrency_key: Key | None = Field(default=None, description="Names a limit that jobs share, see `/v1/limits`.")
    exclude: Exclude = Field(
        default=[],
        description="What is due then is skipped: days and ranges of days in the job's zone, intervals, and calendars.",
    )
    async_completion: AsyncFields | None = Field(
        default=None,
        description="Each call carries `Cronledger-Callback`, a URL to which a target that answered 202 POSTs its end.",
    )

    notify: Notify = Field(default=[], description="Who is told of changes of state, not of each failure.")
    keep_runs: KeepRuns | None = Field(
        default=None, description="Of the job's runs that ended only the newest are kept, so many; tidied up hourly."
    )
    auth: Annotated[BearerAuth | BasicAuth, Field(discriminator="type")] | None = Field(
        default=None, description="By which secret the calls say who they are."
    )
    signing: Signing = Field(
        default=[],
        description="Secrets that sign the calls by Standard Webhooks, two while one takes the other's place; left "
        "out, the service's own keys do.",
    )

    tls: TlsFields = TlsFields()

    def policies(self) -> Policies:
        values = {name: getattr(self, name) for name in _NAMES}
        misfire, retry, success, completion = self.misfire, self.retry, self.success, self.async_completion
        return Policies(
            **values
            | {
                "misfire": Misfire(**misfire.model_dump()),
                "retry": Retry(**retry.model_dump() | {"on": tuple(retry.on)}),
                "success": Success(**success.model_dump() | {"status": tuple(success.status)}),
                "exclude": tuple(self.exclude),
                "async_completion": completion and AsyncCompletion(**completion.model_dump()),
                "notify": tuple(each.rule() for each in self.notify),
                "auth": self.auth and self.auth.auth(),
                "tls": self.tls.tls(),
                "signing": tuple(each.secret for each in self.signing),
            }
        )


_NAMES = [each.name for each in fields(Policies)]


def policy_values(job: JobDefinition) -> dict[str, Any]:
    """The policies as the fields of a job."""
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(job.policies).items()}
    for told, rule in zip(values["notify"], job.policies.notify, strict=True):
        told["headers"] = masked_headers(rule.headers)
    values |= {"exclude": [tell_item(each) for each in job.policies.exclude]}
    return values | credential_values(job.policies)


def _patch(policy: type[BaseModel]) -> WithJsonSchema:
    """A merge patch: it is what comes of it that is validated."""
    schema = policy.model_json_schema(ref_template="#/components/schemas/{model}")
    properties = {name: _or_null(each) for name, each in schema["properties"].items()}
    return WithJsonSchema({"type": "object", "properties": properties, "additionalProperties": False})


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in schema.items() if name != "default"}
    return plain if "anyOf" in plain else {"anyOf": [plain, {"type": "null"}]}


MisfirePatch = Annotated[dict[str, JsonBody], _patch(MisfireFields)]
RetryPatch = Annotated[dict[str, JsonBody], _patch(RetryFields)]
AsyncPatch = Annotated[dict[str, JsonBody], _patch(AsyncFields)]
TlsPatch = Annotated[dict[str, JsonBody], _patch(TlsFields)]
SuccessPatch = Annotated[dict[str, JsonBody], _patch(SuccessFields)]
