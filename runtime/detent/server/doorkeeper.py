"""What a key allows: each route has a scope, and a request passes when its key has that scope.

Nothing is open by omission: routes without a scope cannot be made, and a request without a principal passes public
routes only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..accounts import Principal
from ..accounts.accounts import WRONG_KEY
from ..errors import Forbidden, Unauthorized
from ..model.protocol import NewRun
from .problems import problem

__all__ = ["ANY", "PUBLIC", "ScopedRoute", "check_queues", "holder_of", "may_pass", "principal_of"]

#: Needs no key; or any key that is good.
PUBLIC, ANY = "public", "any"


class ScopedRoute(Route):
    """A route with the scope that a key needs for it.

    Parameters:
      needs: ``RESOURCE:ACTION``, `ANY` or `PUBLIC`.
      public_token: whether a public token for the thing that is asked about will do.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Any],
        *,
        methods: Sequence[str],
        needs: str,
        name: str | None = None,
        public_token: bool = False,
    ) -> None:
        if needs not in (ANY, PUBLIC) and needs.count(":") != 1:
            raise ValueError(f"the route {path} needs a scope such as runs:read, got {needs!r}")
        super().__init__(path, endpoint, methods=list(methods), name=name)
        self.needs = needs
        self.public_token = public_token

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A method that the path does not take is told so, whatever the key.
        if self.methods and scope["method"] in self.methods:
            refusal = may_pass(principal_of(scope), self, Request(scope))
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await super().handle(scope, receive, send)


def principal_of(scope: Scope) -> Principal | None:
    """The holder of the key that came with a request."""
    found = scope.get("state", {}).get("principal")
    return found if isinstance(found, Principal) else None


def holder_of(request: Request) -> Principal:
    """The same, for a request that cannot have come without one. Errors: `Unauthorized`."""
    principal = principal_of(request.scope)
    if principal is None:
        raise Unauthorized(WRONG_KEY)
    return principal


def may_pass(principal: Principal | None, route: ScopedRoute, request: Request) -> Response | None:
    """None where the request may pass, else what is answered instead."""
    needs = route.needs
    if needs == PUBLIC:
        return None
    if principal is None:
        return problem(401, "unauthorized", "this needs a key; send `Authorization: Bearer KEY`")
    if principal.kind == "public":
        if route.public_token and (needs == ANY or _is_for(principal, needs, request)):
            return None
        refused = Forbidden(
            f"a public token is for its own thing only, and this needs {needs}; let your server ask, with a secret key"
        )
        return problem(403, refused.code, refused.message)
    if needs == ANY or principal.may(needs):
        return None
    missing = Forbidden(f"this key does not have the scope {needs}; use a key that has it, or ask an admin for one")
    return problem(403, missing.code, missing.message)


def check_queues(principal: Principal, runs: Sequence[NewRun]) -> None:
    """Errors: `Forbidden` for a run that brings a limit for its queue, which holds for all runs in it, from one who may
    start runs but not change queues."""
    if not principal.may("queues:write") and any(
        run.queue_limit is not None or run.queue_limit_per_key is not None for run in runs
    ):
        raise Forbidden(
            "this key starts runs, but does not have the scope queues:write; name the queue without limits, and "
            "declare its limits in the code"
        )


def _is_for(principal: Principal, needs: str, request: Request) -> bool:
    """Whether a public token is for the one thing that the request names."""
    things = principal.things_for(needs)
    if not things:
        return False
    tags = {thing.removeprefix("tag=") for thing in things if thing.startswith("tag=")}
    named = request.path_params.get("id") or request.path_params.get("run")
    if named is not None:
        if named in things:
            return True
        return bool(tags) and not tags.isdisjoint(request.app.state.tags_of_run(principal, named))
    asked = [tag for name in ("tag", "tags") for text in request.query_params.getlist(name) for tag in text.split(",")]
    return bool(asked) and tags.issuperset(asked)
