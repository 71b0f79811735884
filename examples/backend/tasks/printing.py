"""The work that must not keep a web request waiting."""

from __future__ import annotations

import time

from pydantic import BaseModel

from detent import queue, task

printer = queue("printer", concurrency_limit=1)


class Print(BaseModel):
    text: str


@task(id="print-text", queue=printer, max_duration="1m")
def print_text(order: Print) -> str:
    """Print one text. There is one printer, so one text at a time."""
    time.sleep(0.1)
    return f"*** {order.text.upper()} ***"
