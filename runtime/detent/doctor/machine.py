"""Processors, memory and open files of this machine, against what the workers are set to."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import psutil

from ..config import Config
from .finding import Finding, failed, good, warning

__all__ = ["check_machine"]

#: What a worker process takes before any task of yours is imported, and a thread or a parked run of it, in bytes.
_PROCESS = 60 * 1024**2
_THREAD = 256 * 1024
_ASYNC_RUN = 8 * 1024
#: Files that a process has open beside the connections of its runs, and few enough to be short of soon.
_FILES, _TIGHT = 256, 1_024


def check_machine(config: Config) -> Iterator[Finding]:
    """Whether the machine carries the workers of the settings."""
    worker = config.worker
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if worker.processes > 2 * cores:
        yield warning(
            "machine.cores",
            f"{worker.processes} worker processes on {cores} processors",
            f"set processes = {cores} under [worker]; more of them only take turns",
            cores=cores,
        )
    else:
        yield good("machine.cores", f"{cores} processors for {worker.processes} worker processes", cores=cores)
    yield _memory(config)
    yield _files(config)


def _memory(config: Config) -> Finding:
    worker = config.worker
    free = psutil.virtual_memory().available
    each = _PROCESS + worker.threads * _THREAD + worker.async_limit * _ASYNC_RUN
    need = worker.processes * each
    told = f"{_gib(free)} of memory free, the workers need about {_gib(need)} before your own code"
    if free < need:
        return failed(
            "machine.memory", told, "set fewer processes or threads under [worker]", free_bytes=free, need_bytes=need
        )
    if free < 2 * need:
        return warning(
            "machine.memory", told, "leave room for your own code: fewer processes", free_bytes=free, need_bytes=need
        )
    return good("machine.memory", told, free_bytes=free, need_bytes=need)


def _files(config: Config) -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = _FILES + config.worker.threads + config.worker.async_limit
    endless = soft == resource.RLIM_INFINITY
    told = "no limit of open files" if endless else f"{soft:,} open files for each process, {need:,} may be needed"
    if endless or soft >= need:
        return good("machine.files", told, limit=None if endless else soft, need=need)
    advice = f"ulimit -n {max(65_536, need)}, or LimitNOFILE={max(65_536, need)} in the systemd unit"
    if soft < _TIGHT and hard < need:
        return failed("machine.files", told, advice, limit=soft, need=need)
    return warning("machine.files", told, advice, limit=soft, need=need)


def _gib(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB"
