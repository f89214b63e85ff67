"""What a caller must be allowed to do for each operation. One that is not listed can't be served at all."""

from __future__ import annotations

from app.domain.access import Scope

PROBES = frozenset({"getLiveness", "getReadiness"})
"""However many come, they are answered."""

NOBODY_ASKED = PROBES | {"reportCompletion"}
"""Operations for which no key is needed. Who reports a completion sends the token of the attempt instead."""

METRICS = "getMetrics"

OPERATORS = frozenset({METRICS, "pauseScheduler", "resumeScheduler", "listReplicas", "putNamespace", "deleteNamespace"})
"""Operations on the whole service, and not on what is in one namespace: they take a key of `default`."""

NEEDS = {
    METRICS: Scope.RUNS_READ,
    "createJob": Scope.JOBS_WRITE,
    "listJobs": Scope.JOBS_READ,
    "getJob": Scope.JOBS_READ,
    "putJob": Scope.JOBS_WRITE,
    "patchJob": Scope.JOBS_WRITE,
    "deleteJob": Scope.JOBS_WRITE,
    "pauseJob": Scope.JOBS_WRITE,
    "resumeJob": Scope.JOBS_WRITE,
    "triggerJob": Scope.RUNS_TRIGGER,
    "listNextTimes": Scope.JOBS_READ,
    "listRuns": Scope.RUNS_READ,
    "listJobRuns": Scope.RUNS_READ,
    "getRun": Scope.RUNS_READ,
    "listAttempts": Scope.RUNS_READ,
    "cancelRun": Scope.RUNS_TRIGGER,
    "retryRun": Scope.RUNS_TRIGGER,
    "createBackfill": Scope.RUNS_TRIGGER,
    "listBackfills": Scope.RUNS_READ,
    "getBackfill": Scope.RUNS_READ,
    "cancelBackfill": Scope.RUNS_TRIGGER,
    "listJobSpans": Scope.RUNS_READ,
    "listJobVersions": Scope.JOBS_READ,
    "listVersions": Scope.JOBS_READ,
    "explainJob": Scope.RUNS_READ,
    "explain": Scope.RUNS_READ,
    "createCalendar": Scope.JOBS_WRITE,
    "listCalendars": Scope.JOBS_READ,
    "getCalendar": Scope.JOBS_READ,
    "putCalendar": Scope.JOBS_WRITE,
    "deleteCalendar": Scope.JOBS_WRITE,
    "importCalendar": Scope.JOBS_WRITE,
    "listLimits": Scope.JOBS_READ,
    "getLimit": Scope.JOBS_READ,
    "putLimit": Scope.JOBS_WRITE,
    "deleteLimit": Scope.JOBS_WRITE,
    "previewSchedule": Scope.JOBS_READ,
    "getForecast": Scope.JOBS_READ,
    "getStats": Scope.RUNS_READ,
    "streamEvents": Scope.RUNS_READ,
    "getScheduler": Scope.JOBS_READ,
    "pauseScheduler": Scope.ADMIN,
    "resumeScheduler": Scope.ADMIN,
    "listReplicas": Scope.RUNS_READ,
    "listEntries": Scope.JOBS_READ,
    "createSecret": Scope.JOBS_WRITE,
    "listSecrets": Scope.JOBS_READ,
    "getSecret": Scope.JOBS_READ,
    "putSecret": Scope.JOBS_WRITE,
    "deleteSecret": Scope.JOBS_WRITE,
    "listNamespaces": Scope.ADMIN,
    "getNamespace": Scope.ADMIN,
    "putNamespace": Scope.ADMIN,
    "deleteNamespace": Scope.ADMIN,
    "createKey": Scope.ADMIN,
    "listKeys": Scope.ADMIN,
    "getKey": Scope.ADMIN,
    "patchKey": Scope.ADMIN,
    "revokeKey": Scope.ADMIN,
    "listAudit": Scope.ADMIN,
}
