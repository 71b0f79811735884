"""One figure of one pass, and how much work each case does."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Measure", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """How much work each case does."""

    steps: int = 200
    resumes: int = 100
    together: int = 100
    kills: int = 6
    held: int = 40
    parked: int = 10_000
    plain_parked: int = 400
    waiting: int = 50_000
    chains: tuple[int, ...] = (100, 1_000, 10_000)
    busy: int = 200
    starts: int = 20
    timers: int = 20_000

    @classmethod
    def quick(cls) -> Sizes:
        return cls(
            resumes=20,
            together=20,
            kills=2,
            held=10,
            parked=2_000,
            plain_parked=100,
            waiting=3_000,
            chains=(100, 1_000),
            busy=50,
            starts=5,
            timers=2_000,
        )


@dataclass
class Measure:
    """One figure. `what` is its row, `samples` are what it is the median of, where it is one."""

    case: str
    what: str
    value: float
    unit: str
    samples: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
