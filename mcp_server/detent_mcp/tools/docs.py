"""The documentation of this version, searched offline."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from detent.errors import NotFound

from ..call import Call
from ..docs_answers import answer, is_link, read_part
from ..docs_index import shipped_docs
from ..refusals import Refusal
from ..tool import tool

__all__ = ["search_docs"]


@tool(
    "search_docs",
    "Search detent's docs and skills of the installed version, offline. Use before writing or changing task code, and "
    "for any 'how do I' about detent.",
    title="Search docs",
    about="nothing",
)
async def search_docs(
    _call: Call, *, query: Annotated[str, "question, words, or a docs://page#section link"]
) -> dict[str, Any]:
    index = await asyncio.to_thread(shipped_docs)
    if not is_link(query):
        return answer(index, query)
    try:
        return read_part(index, query)
    except NotFound as error:
        raise Refusal(error.message, next="search_docs(query=words) finds pages", code=error.code) from None
