"""What a benchmark run shows while it goes on: a bar for a person who watches, plain lines otherwise."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.report import figure


class Watch:
    """Shows each figure as it comes, on standard error, so that standard output is the report alone."""

    def __init__(self, steps: int) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        if self._console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, console=self._console)
            self._task = self._bar.add_task("starting", total=steps)

    def __enter__(self) -> Watch:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, system: str, number: int, passes: int) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=f"pass {number}/{passes}  {system}")

    def measured(self, measure: dict[str, Any]) -> None:
        self._print(
            f"pass {measure['pass']}  {measure['system']:<14}  {measure['case']:<10}  "
            f"{figure(measure['value']):>8} {measure['unit']}"
        )
        if self._bar is not None:
            self._bar.advance(self._task)

    def note(self, text: str) -> None:
        self._print(text)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)
