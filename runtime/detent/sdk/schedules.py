"""`schedules`: tasks that run by the clock, declared in the code or created at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InvalidOptions, near_names
from ..model.cron import check_cron, check_zone
from ..model.manifest import ScheduleSpec
from .task import Declare, task

if TYPE_CHECKING:
    from ..client.schedules import AsyncSchedulesResource, SchedulesResource

__all__ = ["Schedules", "SyncSchedules", "schedules"]

_ENVIRONMENTS = ("dev", "staging", "prod", "preview")


def _task(
    id: str | None = None,
    *,
    cron: str | Mapping[str, Any],
    timezone: str | None = None,
    environments: str | Sequence[str] | None = None,
    **settings: Any,
) -> Declare:
    """Declare a task that runs by the clock: ``@schedules.task(cron="30 9 * * MON-FRI")`` above a function.

    Parameters:
      id: see `task`.
      cron: minute, hour, day of the month, month, weekday; or a mapping with ``pattern``, and ``timezone`` and
        ``environments`` as below.
      timezone: on whose clock the pattern is read, such as ``"Europe/Berlin"``; UTC unless set.
      environments: only in these, of ``dev``, ``staging``, ``prod``, ``preview``; in all unless set.
      settings: all that `task` takes.

    The function takes a `ScheduledPayload`, a mapping with its fields, or nothing. The schedule appears with the first
    worker that has the task, changes with the code, and goes with it.
    Errors: `InvalidOptions` for a pattern or a zone that is none, and those of `task`.
    """
    where = id or "a scheduled task"
    declared = task(id, **settings)
    declared.settings["schedule"] = _spec(where, cron, timezone, environments)
    return declared


def _spec(
    where: str, cron: str | Mapping[str, Any], timezone: str | None, environments: str | Sequence[str] | None
) -> ScheduleSpec:
    said: dict[str, Any] = {"timezone": timezone, "environments": environments}
    pattern: Any = cron
    if isinstance(cron, Mapping):
        unknown = sorted(cron.keys() - {"pattern", "timezone", "environments"})
        if unknown or "pattern" not in cron:
            fault = f"has {unknown[0]!r}" if unknown else "has no pattern"
            raise InvalidOptions(f"cron of {where} {fault}, expected pattern, timezone and environments")
        pattern = cron["pattern"]
        for name, beside in said.items():
            within = cron.get(name)
            if beside is not None and within is not None:
                raise InvalidOptions(f"{name} of {where} was given twice; give it once")
            said[name] = beside if within is None else within
    zone = "UTC" if said["timezone"] is None else said["timezone"]
    return ScheduleSpec(
        check_cron(pattern, f"cron of {where}"),
        check_zone(zone, f"timezone of {where}"),
        _environments(where, said["environments"]),
    )


def _environments(where: str, names: Any) -> list[str] | None:
    if names is None:
        return None
    listed = [names] if isinstance(names, str) else list(names)
    for name in listed:
        if not isinstance(name, str) or (name not in _ENVIRONMENTS and not name.startswith("preview/")):
            raise InvalidOptions(f"environments of {where}: {near_names('environment', str(name), _ENVIRONMENTS)}")
    return listed


if TYPE_CHECKING:

    class SyncSchedules(SchedulesResource):
        """The schedules of the default client, blocking."""

        task = staticmethod(_task)

    class Schedules(AsyncSchedulesResource):
        """Tasks that run by the clock, and the schedules of the default client."""

        sync: SyncSchedules
        task = staticmethod(_task)

else:

    class SyncSchedules:
        """The schedules of the default client, blocking; see `detent.client.Detent.schedules`."""

        task = staticmethod(_task)

        def __getattr__(self, name: str) -> Any:
            from ..client import Detent

            return getattr(Detent().schedules, name)

    class Schedules:
        """``@schedules.task(cron=...)``, and the schedules of the default client: ``await schedules.create(...)``; see
        `detent.client.AsyncDetent.schedules`."""

        sync = SyncSchedules()
        task = staticmethod(_task)

        def __getattr__(self, name: str) -> Any:
            from ..client import AsyncDetent

            return getattr(AsyncDetent().schedules, name)


schedules: Schedules = Schedules.__new__(Schedules)
