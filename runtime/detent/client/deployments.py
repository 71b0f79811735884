"""The deployments of a client's environment, blocking and awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..model.deployment_views import (
    Deployment,
    DeploymentDetail,
    DeploymentLine,
    DeploymentLog,
    DeploymentPage,
    DeploymentProgress,
)
from ..model.transport import Transport
from . import deployment_calls as calls
from . import waiting
from .pages import AsyncDeployments, Deployments

__all__ = ["AsyncDeploymentsResource", "DeploymentsResource"]


class DeploymentsResource:
    """Deployments: tries to bring a project's code to this environment, each with a version such as ``20261122.1``.

    A deployment is named by its id (``dep_…``), by its version, or as ``current`` or ``latest``. To build and deploy a
    project use `detent.deploy.deploy`, which calls the rest of these.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self, *, status: str | Iterable[str] | None = None, limit: int = 25, cursor: str | None = None
    ) -> Deployments:
        """Deployments, newest first. Iterate over it: further pages are fetched as needed.

        Parameters:
          status: one, or several of which one must fit: ``PENDING``, ``BUILDING``, ``DEPLOYING``, ``DEPLOYED``,
            ``FAILED``, ``CANCELED``, ``TIMED_OUT``.
          limit: deployments of a page, 1 to 100. `cursor`: where to go on, from `DeploymentPage.next_cursor`.

        Errors: `InvalidOptions`.
        """
        filters = calls.deployment_filters(status, limit)

        def fetch(where: str | None) -> DeploymentPage:
            return calls.list_deployments(filters, where).ask(self._transport)

        return Deployments(fetch, cursor)

    def retrieve(self, deployment: str = "current") -> DeploymentDetail:
        """One deployment, with what it can run and how far supervisors of workers are with it.
        Errors: `NotFound` with near versions."""
        return calls.retrieve_deployment(deployment).ask(self._transport)

    def log(self, deployment: str, *, after: int = 0, limit: int = calls.LOG_PAGE) -> DeploymentLog:
        """What was said while it was built.

        Parameters:
          after: only lines with a higher number, see `DeploymentLog.next_after`. `limit`: 1 to 1,000.

        Errors: `NotFound`.
        """
        return calls.log_of_deployment(deployment, after, limit).ask(self._transport)

    def follow_log(self, deployment: str, *, after: int = 0) -> Iterator[DeploymentLine]:
        """The lines of the log as they come, until the deployment has ended.

        Parameters:
          after: only lines with a higher number.

        Errors: `NotFound`.
        """
        # Another deployment may become the latest one meanwhile.
        deployment = self.retrieve(deployment).id
        pauses = waiting.pauses(deployment, None, "deployment")
        while True:
            has_ended = self.retrieve(deployment).status not in calls.UNDER_WAY
            page = self.log(deployment, after=after)
            for line in page.items:
                after = line.line
                yield line
            if page.items:
                pauses = waiting.pauses(deployment, None, "deployment")
            if page.next_after is None:
                if has_ended:
                    return
                time.sleep(next(pauses))

    def create(
        self,
        *,
        git: Mapping[str, Any] | None = None,
        detent: str | None = None,
        skip_promotion: bool = False,
        by: str | None = None,
    ) -> Deployment:
        """Begin a deployment: it gets its version, and is ``PENDING``.

        Parameters:
          git: ``commit``, ``branch``, ``dirty``, ``message``, ``author``. `detent`: the version that builds it.
          skip_promotion: it does not become current when it is deployed. `by`: who deploys.
        """
        return calls.create_deployment(git, detent, skip_promotion, by).ask(self._transport)

    def progress(self, deployment: str, lines: Sequence[str] = (), *, building: bool = False) -> DeploymentProgress:
        """Say that the build goes on; one that nobody speaks of for 10 minutes times out.

        Parameters:
          lines: for its log, at most 500 at once. `building`: it is ``BUILDING`` from now on.

        Its status says whether it is still wanted. Errors: `NotFound`.
        """
        return calls.report_progress(deployment, lines, building).ask(self._transport)

    def finalize(
        self,
        deployment: str,
        *,
        manifest: Mapping[str, Any],
        bundle: Mapping[str, Any],
        lock_hash: str | None = None,
        python: str | None = None,
    ) -> Deployment:
        """All is built, and the bundle uploaded: let workers prepare it, and make it current.

        Parameters:
          manifest: what it can run. `bundle`: its ``hash``, ``bytes`` and ``files``.
          lock_hash: of what it depends on. `python`: the version that it was built with.

        Errors: `NotFound` for a bundle that was not uploaded; `Conflict` for a deployment that has ended.
        """
        return calls.finalize_deployment(deployment, manifest, bundle, lock_hash, python).ask(self._transport)

    def fail(self, deployment: str, *, code: str, message: str, step: str | None = None) -> Deployment:
        """It cannot be built or deployed; the environment stays as it is. One that has ended stays as it ended.

        Parameters:
          code, message: why. `step`: in which part of it.

        Errors: `NotFound`.
        """
        return calls.fail_deployment(deployment, code, message, step).ask(self._transport)

    def cancel(self, deployment: str) -> Deployment:
        """Give a deployment up that is under way. One that has ended stays as it ended. Errors: `NotFound`."""
        return calls.cancel_deployment(deployment).ask(self._transport)

    def promote(self, deployment: str) -> Deployment:
        """Make a version that is ``DEPLOYED`` the current one, which new runs go to.
        Errors: `NotFound` with near versions; `Conflict` for one that is not deployed."""
        return calls.promote_deployment(deployment).ask(self._transport)

    def rollback(self) -> Deployment:
        """Make the version current that was so before the present one. Errors: `Conflict` when there is none."""
        return calls.roll_back().ask(self._transport)


class AsyncDeploymentsResource:
    """Deployments: tries to bring a project's code to this environment, each with a version such as ``20261122.1``.

    A deployment is named by its id (``dep_…``), by its version, or as ``current`` or ``latest``. To build and deploy a
    project use `detent.deploy.deploy`, which calls the rest of these.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self, *, status: str | Iterable[str] | None = None, limit: int = 25, cursor: str | None = None
    ) -> AsyncDeployments:
        """Deployments, newest first. Use ``async for``: further pages are fetched as needed.

        Parameters:
          status: one, or several of which one must fit: ``PENDING``, ``BUILDING``, ``DEPLOYING``, ``DEPLOYED``,
            ``FAILED``, ``CANCELED``, ``TIMED_OUT``.
          limit: deployments of a page, 1 to 100. `cursor`: where to go on, from `DeploymentPage.next_cursor`.

        Errors: `InvalidOptions`.
        """
        filters = calls.deployment_filters(status, limit)

        async def fetch(where: str | None) -> DeploymentPage:
            return await calls.list_deployments(filters, where).ask_async(self._transport)

        return AsyncDeployments(fetch, cursor)

    async def retrieve(self, deployment: str = "current") -> DeploymentDetail:
        """One deployment, with what it can run and how far supervisors of workers are with it.
        Errors: `NotFound` with near versions."""
        return await calls.retrieve_deployment(deployment).ask_async(self._transport)

    async def log(self, deployment: str, *, after: int = 0, limit: int = calls.LOG_PAGE) -> DeploymentLog:
        """What was said while it was built.

        Parameters:
          after: only lines with a higher number, see `DeploymentLog.next_after`. `limit`: 1 to 1,000.

        Errors: `NotFound`.
        """
        return await calls.log_of_deployment(deployment, after, limit).ask_async(self._transport)

    async def follow_log(self, deployment: str, *, after: int = 0) -> AsyncIterator[DeploymentLine]:
        """The lines of the log as they come (use ``async for``), until the deployment has ended.

        Parameters:
          after: only lines with a higher number.

        Errors: `NotFound`.
        """
        # Another deployment may become the latest one meanwhile.
        deployment = (await self.retrieve(deployment)).id
        pauses = waiting.pauses(deployment, None, "deployment")
        while True:
            has_ended = (await self.retrieve(deployment)).status not in calls.UNDER_WAY
            page = await self.log(deployment, after=after)
            for line in page.items:
                after = line.line
                yield line
            if page.items:
                pauses = waiting.pauses(deployment, None, "deployment")
            if page.next_after is None:
                if has_ended:
                    return
                await asyncio.sleep(next(pauses))

    async def create(
        self,
        *,
        git: Mapping[str, Any] | None = None,
        detent: str | None = None,
        skip_promotion: bool = False,
        by: str | None = None,
    ) -> Deployment:
        """Begin a deployment: it gets its version, and is ``PENDING``.

        Parameters:
          git: ``commit``, ``branch``, ``dirty``, ``message``, ``author``. `detent`: the version that builds it.
          skip_promotion: it does not become current when it is deployed. `by`: who deploys.
        """
        return await calls.create_deployment(git, detent, skip_promotion, by).ask_async(self._transport)

    async def progress(
        self, deployment: str, lines: Sequence[str] = (), *, building: bool = False
    ) -> DeploymentProgress:
        """Say that the build goes on; one that nobody speaks of for 10 minutes times out.

        Parameters:
          lines: for its log, at most 500 at once. `building`: it is ``BUILDING`` from now on.

        Its status says whether it is still wanted. Errors: `NotFound`.
        """
        return await calls.report_progress(deployment, lines, building).ask_async(self._transport)

    async def finalize(
        self,
        deployment: str,
        *,
        manifest: Mapping[str, Any],
        bundle: Mapping[str, Any],
        lock_hash: str | None = None,
        python: str | None = None,
    ) -> Deployment:
        """All is built, and the bundle uploaded: let workers prepare it, and make it current.

        Parameters:
          manifest: what it can run. `bundle`: its ``hash``, ``bytes`` and ``files``.
          lock_hash: of what it depends on. `python`: the version that it was built with.

        Errors: `NotFound` for a bundle that was not uploaded; `Conflict` for a deployment that has ended.
        """
        return await calls.finalize_deployment(deployment, manifest, bundle, lock_hash, python).ask_async(
            self._transport
        )

    async def fail(self, deployment: str, *, code: str, message: str, step: str | None = None) -> Deployment:
        """It cannot be built or deployed; the environment stays as it is. One that has ended stays as it ended.

        Parameters:
          code, message: why. `step`: in which part of it.

        Errors: `NotFound`.
        """
        return await calls.fail_deployment(deployment, code, message, step).ask_async(self._transport)

    async def cancel(self, deployment: str) -> Deployment:
        """Give a deployment up that is under way. One that has ended stays as it ended. Errors: `NotFound`."""
        return await calls.cancel_deployment(deployment).ask_async(self._transport)

    async def promote(self, deployment: str) -> Deployment:
        """Make a version that is ``DEPLOYED`` the current one, which new runs go to.
        Errors: `NotFound` with near versions; `Conflict` for one that is not deployed."""
        return await calls.promote_deployment(deployment).ask_async(self._transport)

    async def rollback(self) -> Deployment:
        """Make the version current that was so before the present one. Errors: `Conflict` when there is none."""
        return await calls.roll_back().ask_async(self._transport)
