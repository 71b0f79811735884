"""A set that costs little while it has one member, as nearly all of those that wait with a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["Few"]

T = TypeVar("T")


class Few(Generic[T]):
    """A set; a table is made for the second member."""

    __slots__ = ("_members",)

    def __init__(self) -> None:
        self._members: tuple[T, ...] | set[T] = ()

    def add(self, member: T) -> None:
        """Put it in, if it is not there."""
        if isinstance(self._members, set):
            self._members.add(member)
        elif member not in self._members:
            self._members = {*self._members, member} if self._members else (member,)

    def discard(self, member: T) -> None:
        """Take it out, if it is there."""
        if isinstance(self._members, set):
            self._members.discard(member)
        elif member in self._members:
            self._members = ()

    def __contains__(self, member: T) -> bool:
        return member in self._members

    def __iter__(self) -> Iterator[T]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)
