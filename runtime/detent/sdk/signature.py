"""What the signature of a task function says: payload and its type, context or not, what it returns."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, ForwardRef, NamedTuple

from detent.errors import DiscoveryError

__all__ = ["Parameters", "defining_locals", "payload_annotation", "return_annotation"]

_SHAPES = "(), (payload), (payload, ctx) or (ctx: Context)"


class Parameters(NamedTuple):
    """How a task function is called: ``fn(payload, ctx)`` with what it has of the two, in this order.

    `annotation` is the payload's type, ``Any`` when it has none or there is no payload.
    """

    annotation: Any
    has_payload: bool
    wants_context: bool


def payload_annotation(fn: Callable[..., Any], localns: Mapping[str, Any] | None = None) -> Parameters:
    """Read the parameters of a task function.

    Parameters:
      fn: a function of the shape (), (payload), (payload, ctx) or (ctx). A parameter is the context when it
        is named ``ctx`` or annotated with detent's `Context`.
      localns: names that annotations may use besides the module's, as `defining_locals` found them. By
        default they are looked for at once, which finds them only while the function around `fn` is still
        running.

    Raises DiscoveryError with file and line for another shape, and for an annotation that cannot be resolved.
    """
    signature = _signature(fn)
    names = defining_locals(fn) if localns is None else localns
    for parameter in signature.parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            raise DiscoveryError(
                f"{_place(fn)} has the {parameter.kind.description} parameter {parameter.name!r}; "
                f"a task function is called as {_SHAPES}"
            )
    match [(parameter, _is_context(fn, parameter, names)) for parameter in signature.parameters.values()]:
        case []:
            return Parameters(Any, has_payload=False, wants_context=False)
        case [(_, True)]:
            return Parameters(Any, has_payload=False, wants_context=True)
        case [(payload, False)]:
            return Parameters(_resolve(fn, payload.name, payload.annotation, names), True, wants_context=False)
        case [(payload, False), (_, True)]:
            return Parameters(_resolve(fn, payload.name, payload.annotation, names), True, wants_context=True)
        case [(_, True), (_, False)]:
            raise DiscoveryError(f"{_place(fn)} takes the context first; write (payload, ctx)")
        case [_, (second, False)]:
            raise DiscoveryError(
                f"{_place(fn)} has a second parameter {second.name!r}, expected the context: name it ctx or "
                "annotate it with Context; several inputs go into one payload, for example a Pydantic model"
            )
    raise DiscoveryError(
        f"{_place(fn)} has {len(signature.parameters)} parameters; a task function is called as {_SHAPES}, "
        "and several inputs go into one payload, for example a Pydantic model"
    )


def return_annotation(fn: Callable[..., Any], localns: Mapping[str, Any] | None = None) -> Any:
    """The type that a task function returns, ``Any`` when it does not say; else as `payload_annotation`."""
    names = defining_locals(fn) if localns is None else localns
    return _resolve(fn, "return", _signature(fn).return_annotation, names)


def defining_locals(fn: Callable[..., Any]) -> Mapping[str, Any]:
    """The local names of the function that is just defining `fn`, so that its annotations may use them.

    Call it while that function runs, as a decorator does. Empty for a function of a module, and afterwards.
    """
    code = getattr(inspect.unwrap(fn), "__code__", None)
    if code is None or "<locals>" not in code.co_qualname:
        return {}
    frame = inspect.currentframe()
    while frame is not None:
        if code in frame.f_code.co_consts:
            return dict(frame.f_locals)
        frame = frame.f_back
    return {}


def _signature(fn: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(fn, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(fn)


def _is_context(fn: Callable[..., Any], parameter: inspect.Parameter, names: Mapping[str, Any]) -> bool:
    if parameter.name == "ctx":
        return True
    raw = parameter.annotation
    text = raw.__forward_arg__ if isinstance(raw, ForwardRef) else raw
    if isinstance(text, str):
        if text.split("|")[0].strip().rpartition(".")[2] != "Context":
            return False
        try:
            raw = _resolve(fn, parameter.name, raw, names)
        except DiscoveryError:
            return True  # imported for type checkers only, which is enough for the context
    return any(_names_context(kind) for kind in typing.get_args(raw) or (raw,))


def _names_context(kind: Any) -> bool:
    if isinstance(kind, ForwardRef):
        return kind.__forward_arg__.rpartition(".")[2] == "Context"
    room = getattr(kind, "__module__", "").split(".")[0]
    return getattr(kind, "__name__", "") == "Context" and room == "detent"


def _resolve(fn: Callable[..., Any], name: str, raw: Any, names: Mapping[str, Any]) -> Any:
    if raw is inspect.Parameter.empty:
        return Any
    inner = inspect.unwrap(fn)

    def stand_in() -> None: ...

    stand_in.__annotations__ = {name: raw}  # one at a time: another annotation that cannot be resolved does no harm
    generics = {parameter.__name__: parameter for parameter in getattr(inner, "__type_params__", ())}
    try:
        hints = typing.get_type_hints(
            stand_in,
            getattr(inner, "__globals__", {}),
            {**names, **_closure(inner), **generics},
            include_extras=True,
        )
    except Exception as error:
        what = "the return annotation" if name == "return" else f"the annotation of {name!r}"
        shown = raw.__forward_arg__ if isinstance(raw, ForwardRef) else raw
        raise DiscoveryError(
            f"{_place(fn)}: {what}, {shown!r}, cannot be resolved ({error}); import or define it at the "
            "top of the file, not under `if TYPE_CHECKING:` and not inside a function"
        ) from error
    return hints[name]


def _closure(fn: Callable[..., Any]) -> dict[str, Any]:
    names = getattr(getattr(fn, "__code__", None), "co_freevars", ())
    found = {}
    for name, cell in zip(names, getattr(fn, "__closure__", None) or (), strict=False):
        with suppress(ValueError):  # not assigned yet, as the name of a function that is just being decorated
            found[name] = cell.cell_contents
    return found


def _place(fn: Callable[..., Any]) -> str:
    inner = inspect.unwrap(fn)
    name = getattr(inner, "__qualname__", repr(inner))
    code = getattr(inner, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}: task function {name!r}" if code else f"task function {name}"
