"""The systems that can be measured, by name.

A driver is imported only by the session that measures it, so that no system's threads, caches or imports
burden another's figures.
"""

from __future__ import annotations

import importlib
import importlib.util

from benchmarks.drivers.base import Driver

DRIVERS = {
    "detent": "benchmarks.drivers.detent_driver:DetentNormal",
    "detent-full": "benchmarks.drivers.detent_driver:DetentFull",
    "dramatiq": "benchmarks.drivers.dramatiq_redis:DramatiqDefault",
    "dramatiq-tuned": "benchmarks.drivers.dramatiq_redis:DramatiqTuned",
    "celery": "benchmarks.drivers.celery_redis:CeleryRedis",
    "dbos": "benchmarks.drivers.dbos_sqlite:DbosInProcess",
    "dbos-queue": "benchmarks.drivers.dbos_sqlite:DbosQueue",
}
"""Name on the command line and in the tables -> ``module:class``. The order is that of the tables."""


def load(name: str) -> type[Driver]:
    """The driver class called ``name``.

    Raises ``KeyError`` for an unknown name, ``ImportError`` for a missing peer.
    """
    module, _, attribute = DRIVERS[name].partition(":")
    driver: type[Driver] = getattr(importlib.import_module(module), attribute)
    return driver


def choose(wanted: list[str]) -> list[str]:
    """The known names that ``wanted`` means, in table order; all of them when it is empty.

    A name stands for itself and for its variants: ``dramatiq`` is also ``dramatiq-tuned``. To have one only,
    add ``=``: ``dramatiq=``. Raises ``KeyError`` with the names that fit nothing.
    """
    if not wanted:
        return list(DRIVERS)
    chosen: set[str] = set()
    unknown = []
    for want in wanted:
        exact = want.rstrip("=")
        fits = {name for name in DRIVERS if name == exact or (exact == want and name.startswith(f"{want}-"))}
        if not fits:
            unknown.append(want)
        chosen |= fits
    if unknown:
        raise KeyError(", ".join(unknown))
    return [name for name in DRIVERS if name in chosen]


def missing(name: str) -> str | None:
    """Why the system cannot be measured here (no driver, peer not installed), or None when it can."""
    module = DRIVERS[name].partition(":")[0]
    if importlib.util.find_spec(module) is None:
        return f"no driver yet ({module})"
    peer = {
        "dramatiq_redis": "dramatiq",
        "celery_redis": "celery",
        "dbos_sqlite": "dbos",
        "detent_driver": "detent",
    }
    needed = peer[module.rpartition(".")[2]]
    if importlib.util.find_spec(needed) is None:
        return f"{needed} is not installed (uv sync --group bench)"
    return None
