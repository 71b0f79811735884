"""What clients ask about batches, see `calls`."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidOptions
from ..model.batch_views import BatchDetail, BatchPage, BatchResults
from .calls import Call

__all__ = ["list_batches", "results_of_batch", "retrieve_batch"]


def list_batches(limit: int, cursor: str | None) -> Call[BatchPage]:
    return Call("batches.list", _page(limit, 100, cursor), BatchPage.model_validate)


def retrieve_batch(batch_id: str, limit: int, cursor: str | None) -> Call[BatchDetail]:
    return Call("batches.retrieve", {"id": batch_id, **_page(limit, 1_000, cursor)}, BatchDetail.model_validate)


def results_of_batch(batch_id: str, limit: int, cursor: str | None) -> Call[BatchResults]:
    return Call("batches.results", {"id": batch_id, **_page(limit, 100, cursor)}, BatchResults.model_validate)


def _page(limit: int, most: int, cursor: str | None) -> dict[str, Any]:
    if not 1 <= limit <= most:
        raise InvalidOptions(f"limit must be from 1 to {most:,} a page, got {limit}; iterate to read further pages")
    values: dict[str, Any] = {"limit": limit}
    if cursor is not None:
        values["cursor"] = cursor
    return values
