"""Job records: what a web app polls while a text is spoken.

    job = await start_speech(book, voice="nova")   # in the request that orders it
    job = await get_job(job.id)                    # in those that poll: queued, running, succeeded, failed

A record is an object of the object store, ``jobs/<id>.json``. It is written before the run is triggered, so
there is never a run without its record; the run keeps it up to date.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel

from detent import objects, sync
from detent.errors import NotFound
from detent.tts.speech import Speech

__all__ = ["STALE_AFTER", "Job", "Jobs", "SyncJobs", "get_job", "jobs", "start_speech"]

#: A job that was not updated for this long is looked after.
STALE_AFTER = timedelta(minutes=10)
_ID = re.compile(r"job_[0-9a-f]{32}")


class Job(BaseModel):
    """How a speech stands.

    Parameters:
      id: of the job. `run_id`: of its run, once known.
      status: ``queued``, ``running``, and in the end ``succeeded`` (then `speech` is there) or ``failed``
        (then `error` says why).
      created_at, updated_at: aware, in UTC.
    """

    id: str
    status: Literal["queued", "running", "succeeded", "failed"] = "queued"
    created_at: datetime
    updated_at: datetime
    run_id: str | None = None
    speech: Speech | None = None
    error: str | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it has succeeded or failed."""
        return self.status in ("succeeded", "failed")


class SyncJobs:
    """The blocking twins of `Jobs`."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def create(self) -> Job:
        """See `Jobs.create`."""
        now = self._clock()
        return self._write(Job(id=f"job_{uuid.uuid4().hex}", created_at=now, updated_at=now))

    def start(self, text: str, **options: Any) -> Job:
        """See `Jobs.start`."""
        from detent.tts.tasks import generate_audio

        job = self.create()
        request: Any = {"text": text, **options, "job_id": job.id}
        try:
            handle = generate_audio.sync.trigger(request, tags=[_tag(job.id)])
        except Exception:
            objects.store().delete(_key(job.id))
            raise
        # Not written: the run may be writing already, and says the same.
        return job.model_copy(update={"run_id": handle.id})

    def get(self, job_id: str) -> Job:
        """See `Jobs.get`."""
        job = self._read(job_id)
        if job.is_finished or self._clock() - job.updated_at < STALE_AFTER:
            return job
        return self._looked_after(job)

    def running(self, job_id: str, run_id: str) -> None:
        """See `Jobs.running`."""
        self._update(job_id, status="running", run_id=run_id)

    def succeeded(self, job_id: str, speech: Speech) -> None:
        """See `Jobs.succeeded`."""
        self._update(job_id, status="succeeded", speech=speech, error=None)

    def failed(self, job_id: str, error: str) -> None:
        """See `Jobs.failed`."""
        self._update(job_id, status="failed", error=error)

    def _looked_after(self, job: Job) -> Job:
        """The job after a look at its run, whose word may have been lost."""
        run_id = job.run_id
        if run_id is None:
            found = sync.runs.list(tag=_tag(job.id), limit=1).page().items
            run_id = found[0].id if found else None
        try:
            run = None if run_id is None else sync.runs.result(run_id)
        except NotFound:
            run = None
        if run is not None and not run.is_finished:
            return job
        if run is None:
            ended: dict[str, Any] = {"status": "failed", "error": "its run was never started, or is gone"}
        elif run.ok:
            ended = {"status": "succeeded", "speech": Speech.model_validate(run.output)}
        else:
            ended = {"status": "failed", "error": run.status if run.error is None else run.error.message}
        return self._update(job.id, run_id=run_id, **ended) or job

    def _update(self, job_id: str, **changes: Any) -> Job | None:
        try:
            job = self._read(job_id)
        except NotFound:
            # Deleted, so nobody waits for it; the speech itself goes on.
            return None
        return self._write(job.model_copy(update={**changes, "updated_at": self._clock()}))

    def _read(self, job_id: str) -> Job:
        try:
            return Job.model_validate_json(objects.store().get(_key(job_id)))
        except NotFound:
            raise NotFound(f"no job {job_id!r}; it was deleted, or belongs to another object store") from None

    def _write(self, job: Job) -> Job:
        objects.store().put(_key(job.id), job.model_dump_json().encode())
        return job


class Jobs:
    """Job records. Each call may raise `detent.errors.StoreError`; `sync` has the blocking twins.

    Parameters:
      clock: tells the time, aware and in UTC.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.sync = SyncJobs(clock)

    async def create(self) -> Job:
        """A new record, ``queued``."""
        return await asyncio.to_thread(self.sync.create)

    async def start(self, text: str, **options: Any) -> Job:
        """Write a record, then trigger `tts-generate-audio` with it.

        Parameters:
          text: what to say. `options`: the other fields of `detent.tts.SpeechRequest`.

        Raises `InvalidPayload` with the reason when this cannot be spoken; no record stays then.
        """
        return await asyncio.to_thread(self.sync.start, text, **options)

    async def get(self, job_id: str) -> Job:
        """The job as it is now. Raises `NotFound`.

        One without an update for 10 minutes is compared with its run first: without a live one it has failed.
        """
        return await asyncio.to_thread(self.sync.get, job_id)

    async def running(self, job_id: str, run_id: str) -> None:
        """The run has begun."""
        await asyncio.to_thread(self.sync.running, job_id, run_id)

    async def succeeded(self, job_id: str, speech: Speech) -> None:
        """The file is there."""
        await asyncio.to_thread(self.sync.succeeded, job_id, speech)

    async def failed(self, job_id: str, error: str) -> None:
        """It will not be there; `error` says why."""
        await asyncio.to_thread(self.sync.failed, job_id, error)


def _key(job_id: str) -> str:
    if not _ID.fullmatch(job_id):
        raise NotFound(f"no job {job_id!r}; the id of a job is job_ and 32 hexadecimal digits")
    return f"jobs/{job_id}.json"


def _tag(job_id: str) -> str:
    return f"job:{job_id}"


jobs = Jobs()
start_speech = jobs.start
get_job = jobs.get
