"""The client at the other end, for one request: what it can be told and asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .refusals import Refusal

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp_types import InputResponses

__all__ = ["AskFirst", "Caller"]

#: How long a client may take to say what its folders are, and its user to answer a question, in seconds. Many clients
#: give up a call after 60 s.
ROOTS_S, ANSWER_S = 2.0, 50.0
#: Since then servers ask by the result of a call, which is sent again with the answers.
_BY_RESULT = "2026-07-28"
_QUESTION = "confirm"


class AskFirst(BaseException):
    """The client's user has to be asked, by the result of this call."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Caller:
    """The client, while it waits for the answer to one request.

    Parameters:
      context: of the request. `answers`: to questions that were put before, if it is sent again with them.
    """

    def __init__(self, context: ServerRequestContext[Any, Any], answers: InputResponses | None = None) -> None:
        self._context = context
        self._answers = answers or {}

    @property
    def name(self) -> str:
        """Name and version of the client."""
        known = self._context.session.client_params
        return "?" if known is None else f"{known.client_info.name} {known.client_info.version}"

    @property
    def session(self) -> Any:
        """What notifications are sent with."""
        return self._context.session

    @property
    def request(self) -> Any:
        """The HTTP request, None over standard input."""
        return self._context.request

    async def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Tell how far it is; nothing where the client did not ask for it."""
        await self._context.session.report_progress(done, total, message)

    async def roots(self) -> list[str]:
        """The client's folders as URIs; none when it does not say in time."""
        session = self._context.session
        offered = session.client_capabilities
        if offered is None or offered.roots is None or self._by_result or not session.can_send_request:
            return []
        from mcp.shared.exceptions import MCPError
        from mcp_types import ListRootsRequest, ListRootsResult

        try:
            async with asyncio.timeout(ROOTS_S):
                answer = await session.send_request(ListRootsRequest(), ListRootsResult)
        except (TimeoutError, MCPError, ValueError):
            return []
        return [str(root.uri) for root in answer.roots]

    @property
    def can_ask(self) -> bool:
        """Whether the client can put a question to its user."""
        offered = self._context.session.client_capabilities
        able = offered is not None and offered.elicitation is not None
        if able and offered is not None and offered.elicitation is not None:
            able = offered.elicitation.form is not None or offered.elicitation.url is None
        return able and (self._by_result or self._context.session.can_send_request)

    async def agrees(self, question: str) -> bool:
        """Whether the user says yes. Errors: `Refusal` when there is no answer."""
        answer: Any = self._answers.get(_QUESTION)
        if answer is None:
            if self._by_result:
                raise AskFirst(question)
            answer = await self._ask(question)
        if getattr(answer, "action", "cancel") == "accept":
            return (answer.content or {}).get(_QUESTION, True) is not False
        return False

    async def _ask(self, question: str) -> Any:
        from mcp.shared.exceptions import MCPError

        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._context.session.elicit_form(question, QUESTION_SCHEMA, self._context.request_id)
        except (TimeoutError, MCPError, ValueError) as error:
            raise Refusal(
                f"the user was asked, and there was no answer ({str(error) or 'time-out'}). Nothing was done.",
                next="ask the user in the chat; when they agree, repeat the call with confirm=true",
                code="not_confirmed",
            ) from None

    @property
    def _by_result(self) -> bool:
        return self._context.protocol_version >= _BY_RESULT


QUESTION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {_QUESTION: {"type": "boolean", "title": "Do it", "default": True}},
}


def question_of(ask: AskFirst) -> Any:
    """The result that puts the question."""
    from mcp_types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult

    params = ElicitRequestFormParams(message=ask.message, requested_schema=QUESTION_SCHEMA)
    return InputRequiredResult(input_requests={_QUESTION: ElicitRequest(params=params)})
