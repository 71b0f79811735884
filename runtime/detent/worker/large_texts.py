"""Payloads and outputs that are too large for the store's rows: they go by way of the object store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence

from ..errors import LimitExceeded
from ..model.limits import INLINE_BYTES, OUTPUT_BYTES
from ..model.protocol import CompleteToken, Grant, NewRun, RunResult

__all__ = ["LargeTexts"]


class LargeTexts:
    """Puts large texts into the object store and gets them from there.

    Parameters:
      put: stores a text under a key and returns how to refer to it.
      get: the text that is referred to.
      env: the id of the environment whose runs the worker executes, where it was told.
    """

    def __init__(self, put: Callable[[str, str], str], get: Callable[[str], str], env: str | None = None) -> None:
        self._put = put
        self._prefix = "" if env is None else f"envs/{env}/"
        self.get = get

    def put(self, name: str, text: str) -> str:
        """Store a text; how to refer to it.

        Its key says what it holds: a worker whose lease is lost replaces nothing that another one has written since.
        """
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        return self._put(f"{self._prefix}{name}.{digest}.json", text)

    @staticmethod
    def is_large(text: str | None) -> bool:
        return text is not None and len(text) * 4 > INLINE_BYTES and len(text.encode()) > INLINE_BYTES

    def payload_of(self, grant: Grant) -> str:
        if grant.payload_ref is not None:
            return self.get(grant.payload_ref)
        return "null" if grant.payload is None else grant.payload

    def completion(self, request: CompleteToken) -> CompleteToken:
        """The completion of a token, with a large output put away. Errors: `LimitExceeded`."""
        output = request.output
        if output is None or not self.is_large(output):
            return request
        if (size := len(output.encode())) > OUTPUT_BYTES:
            raise LimitExceeded(
                f"the output is {size:,} bytes of JSON; the limit is {OUTPUT_BYTES:,} (10 MiB). "
                "Put the data into an object store and send its address"
            )
        ref = self.put(f"waitpoints/{request.id}/{request.by}", output)
        return CompleteToken(request.id, request.by, output_ref=ref)

    def offload(self, runs: Sequence[NewRun], parent: str) -> list[NewRun]:
        """The runs that `parent` starts, with large payloads put away. Those belong to it, as not all of the runs may
        come to be."""
        for run in runs:
            if self.is_large(run.payload):
                assert run.payload is not None
                run.payload_ref = self.put(f"runs/{parent}/payloads/{run.id}", run.payload)
                run.payload = None
        return list(runs)

    async def offloaded(self, runs: Sequence[NewRun], parent: str) -> list[NewRun]:
        """`offload` beside the event loop, where there is anything to do."""
        if any(self.is_large(run.payload) for run in runs):
            return await asyncio.to_thread(self.offload, runs, parent)
        return list(runs)

    def load(self, results: list[RunResult]) -> list[RunResult]:
        """The results, with their large outputs."""
        for result in results:
            self._load(result)
        return results

    async def loaded(self, results: list[RunResult]) -> list[RunResult]:
        """`load` beside the event loop, where there is anything to do."""
        for result in results:
            if result.output_ref is not None:
                await asyncio.to_thread(self._load, result)
        return results

    def _load(self, result: RunResult) -> None:
        if result.output_ref is not None:
            result.output = self.get(result.output_ref)
            result.output_ref = None
