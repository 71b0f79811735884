"""Small programs as data: made from a seed, shown to people, and executed by the tasks of `interpreter`.

A program is ``{"kind": "async" | "sync", "attempts": n, "body": [op, ...]}``, an op ``{"do": name, "id": n, ...}``.
`OPS` says what each does. The values are plain JSON, so that a program is the payload of a run.

Times are distinct: each branch of a parallel op begins with a wait of a length of its own, so that on a virtual clock
only one of them goes on at any moment, and the order in which a program does things follows from the program.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

__all__ = ["OPS", "Op", "Program", "make_program", "readable"]

Op = dict[str, Any]
Program = dict[str, Any]

#: What there is, in words.
OPS = {
    "step": "a step returns `value`; `plain`: by a plain function",
    "fail": "a step raises, in attempts up to `until`",
    "sleep": "a durable wait of `ms`",
    "until": "the same, until a moment counted from ctx.now()",
    "short": "a wait that is too short to be durable",
    "now": "ctx.now()",
    "chance": "ctx.uuid() and ctx.random()",
    "child": "the run of a program, waited for",
    "batch": "runs of programs, waited for together",
    "spawn": "the run of a program, not waited for",
    "spawns": "a batch of runs, not waited for",
    "token": "a token that a child completes after `after` ms; `timeout` ms to wait for it",
    "outside": "a token that is completed from outside",
    "retry": "a block under retry that fails `times` times",
    "loop": "`body`, `times` times",
    "try": "`body`, its `handler` for errors, its `final`",
    "raise": "an error, in attempts up to `until`",
    "timeout": "`body` within asyncio.timeout of `seconds`",
    "given_up": "a wait that asyncio.timeout ends",
    "gather": "asyncio.gather of `bodies`; `all`: with return_exceptions",
    "group": "a TaskGroup of `bodies`",
    "as_completed": "`bodies` in the order in which they end",
    "first": "`bodies` until the first has ended; the others are cancelled",
    "signal": "a token that one branch waits for and another completes after `after` ms",
}
_VALUES: list[Any] = [None, 0, 1, False, True, "", "text", "ünïcode 🎈", [], [1, [2]], {}, {"a": None}, 1.5, 10**12]
_NAMES = ["a", "b", "fetch", "1/a", "*/b", "./a"]
_SEQUENTIAL = ["short", "retry", "given_up"]
_COMMON = ["step"] * 6 + ["sleep"] * 4 + ["fail", "until", "now", "chance", "token", "child", "child", "batch", "spawn"]
_COMMON += ["spawns", "outside", "loop", "try", "try", "try", "raise"]
_ASYNC = ["gather"] * 3 + ["group"] * 2 + ["as_completed"] * 2 + ["first"] * 2 + ["timeout"] * 2 + ["signal"]


def make_program(seed: int) -> Program:
    """The program of this seed."""
    maker = _Maker(Random(seed))
    return maker.program(depth=0, parallel=False)


class _Maker:
    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._ids = 0
        self._left = chance.randint(8, 30)

    def program(self, *, depth: int, parallel: bool) -> Program:
        chance = self._chance
        kind = "async" if chance.random() < 0.7 else "sync"
        body = [self._sleep()] if parallel else []
        body += self._body(kind, depth, parallel=parallel, most=8 if depth == 0 else 3)
        return {"kind": kind, "attempts": chance.choice([1, 1, 2, 3]), "body": body}

    def _body(self, kind: str, depth: int, *, parallel: bool, most: int = 4) -> list[Op]:
        return [self._op(kind, depth, parallel=parallel) for _ in range(self._chance.randint(1, most))]

    def _branches(self, kind: str, depth: int) -> list[list[Op]]:
        count = self._chance.randint(2, 3)
        return [[self._sleep(), *self._body(kind, depth + 1, parallel=True, most=3)] for _ in range(count)]

    def _ms(self) -> int:
        return self._chance.randint(5_000, 10_000_000)

    def _made(self, do: str, **values: Any) -> Op:
        self._ids += 1
        return {"do": do, "id": self._ids, **values}

    def _sleep(self) -> Op:
        return self._made("sleep", ms=self._ms())

    def _op(self, kind: str, depth: int, *, parallel: bool) -> Op:
        chance = self._chance
        self._left -= 1
        if self._left < 0 or depth >= 4:
            names = ["step", "step", "sleep", "now"]
        else:
            names = _COMMON + (_ASYNC if kind == "async" else []) + ([] if parallel else _SEQUENTIAL)
        do = chance.choice(names)
        if do == "given_up" and kind == "sync":
            do = "sleep"
        made = self._made(do)
        nested = {"kind": kind, "depth": depth + 1, "parallel": parallel}
        match do:
            case "step":
                made |= {"name": chance.choice(_NAMES), "value": chance.choice(_VALUES)}
                # In a branch of an async task a helper thread would race with the other branches.
                made["plain"] = kind == "sync" or (not parallel and chance.random() < 0.5)
            case "fail":
                made |= {"name": chance.choice(_NAMES), "until": chance.choice([1, 2, 99])}
            case "raise":
                made["until"] = chance.choice([1, 1, 2, 99])
            case "sleep" | "until":
                made["ms"] = self._ms()
            case "short":
                made["ms"] = chance.randint(1, 4_000)
            case "child" | "spawn":
                made["program"] = self.program(depth=depth + 1, parallel=parallel or do == "spawn")
            case "batch" | "spawns":
                count = chance.randint(1, 3)
                made["programs"] = [self.program(depth=depth + 1, parallel=True) for _ in range(count)]
            case "token":
                made |= {"after": self._ms(), "timeout": chance.choice([None, self._ms()])}
                made["value"] = chance.choice(_VALUES)
            case "signal":
                made |= {"after": self._ms(), "value": chance.choice(_VALUES)}
            case "outside":
                made["value"] = chance.choice(_VALUES)
            case "retry":
                made |= {"times": chance.randint(0, 2), "value": chance.choice(_VALUES)}
            case "loop":
                made |= {"times": chance.randint(2, 4), "body": self._body(**nested, most=2)}
            case "try":
                made["body"] = self._body(**nested, most=3)
                if chance.random() < 0.5:
                    made["body"].append(self._made("raise", until=chance.choice([1, 99])))
                made["handler"] = self._body(**nested, most=2)
                made["final"] = self._body(**nested, most=1) if chance.random() < 0.4 else []
            case "timeout":
                # Either less than any durable wait takes, or more than all of them together.
                made["seconds"] = chance.choice([3, 1_000_000])
                made["body"] = self._body(**nested, most=2)
            case "gather" | "group" | "as_completed" | "first":
                made["bodies"] = self._branches(kind, depth)
                made["all"] = chance.random() < 0.5
            case _:
                pass
        return made


def readable(program: Program, indent: str = "") -> str:
    """The program as lines for people."""
    lines = [f"{indent}{program['kind']} task, {program['attempts']} attempts:"]
    lines += _lines(program["body"], indent + "  ")
    return "\n".join(lines)


def _lines(body: list[Op], indent: str) -> list[str]:
    lines: list[str] = []
    inner = indent + "  "
    for op in body:
        plain = {
            name: value
            for name, value in op.items()
            if name not in ("do", "id", "program", "programs", "body", "bodies", "handler", "final")
        }
        values = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in plain.items())
        lines.append(f"{indent}{op['id']}. {op['do']} {values}".rstrip())
        for program in [op["program"]] if "program" in op else op.get("programs", []):
            lines.append(readable(program, inner))
        for place, branch in enumerate(op.get("bodies", [])):
            lines.append(f"{indent}branch {place}:")
            lines += _lines(branch, inner)
        lines += _lines(op.get("body", []), inner)
        for part in ("handler", "final"):
            if op.get(part):
                lines.append(f"{indent}{part}:")
                lines += _lines(op[part], inner)
    return lines
