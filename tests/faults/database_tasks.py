"""Tasks with two steps and a child, which lose their only attempt when the database makes them fail."""

from __future__ import annotations

__all__ = ["TASKS"]

TASKS = """
@task(id="leaf", retry=Retry(max_attempts=1))
async def leaf(n: int, ctx: Context) -> int:
    return await step("leaf", note, ctx, "leaf", n)


async def note(ctx: Context, name: str, n: int) -> int:
    effect(ctx, name)
    return n


def note_plainly(ctx: Context, name: str, n: int) -> int:
    effect(ctx, name)
    return n


@task(id="two", retry=Retry(max_attempts=1))
async def two(n: int, ctx: Context) -> int:
    one = await step("one", note, ctx, "one", n)
    child = (await leaf.trigger_and_wait(n)).unwrap()
    return one + child + await step("two", note, ctx, "two", n)


@task(id="two-plain", retry=Retry(max_attempts=1))
def two_plain(n: int, ctx: Context) -> int:
    one = step.sync("one", note_plainly, ctx, "one", n)
    child = leaf.sync.trigger_and_wait(n).unwrap()
    return one + child + step.sync("two", note_plainly, ctx, "two", n)
"""
