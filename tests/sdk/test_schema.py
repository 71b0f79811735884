from __future__ import annotations

import enum
import functools
import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, computed_field

from detent.errors import DiscoveryError, InvalidPayload, Unserializable
from detent.sdk.schema import Schema, defining_locals, payload_annotation, return_annotation

if TYPE_CHECKING:
    from nowhere import Absent, Context  # type: ignore[import-not-found]


class Item(BaseModel):
    name: str
    price: float


class Order(BaseModel):
    id: int
    items: list[Item] = []


class Gift(Order):
    note: str = ""


@dataclass
class Point:
    x: float
    y: float = 0.0
    tags: list[str] = field(default_factory=list)


class Address(TypedDict, total=False):
    street: str


class Person(TypedDict):
    name: str
    address: NotRequired[Address]


class Colour(enum.Enum):
    RED = "red"


class Mail(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sender: str = Field(alias="from")

    @computed_field
    def domain(self) -> str:
        return self.sender.partition("@")[2]


class TwoAliases(BaseModel):
    when: int = Field(validation_alias="in", serialization_alias="out")


ORDER = Order(id=1, items=[Item(name="pen", price=1.5)])
ORDER_JSON = '{"id":1,"items":[{"name":"pen","price":1.5}]}'


class TestPayloads:
    @pytest.mark.parametrize(
        ("annotation", "given_value", "loaded"),
        [
            (Order, ORDER, ORDER),
            (Order, {"id": "1", "items": [{"name": "pen", "price": "1.5"}]}, ORDER),
            (Point, Point(1, 2, ["a"]), Point(1, 2, ["a"])),
            (Point, {"x": 1}, Point(1.0)),
            (Person, {"name": "Ada"}, {"name": "Ada"}),
            (
                list[Person],
                [{"name": "Ada", "address": {"street": "x"}}],
                [{"name": "Ada", "address": {"street": "x"}}],
            ),
            (Person | None, None, None),
            (int | str, "7", "7"),
            (list[Order], [ORDER], [ORDER]),
            (dict[str, Point], {"a": Point(1)}, {"a": Point(1)}),
            (Annotated[int, Field(gt=0)], 3, 3),
            (Literal["a", "b"], "a", "a"),
            (datetime, datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
            (UUID, UUID(int=5), UUID(int=5)),
            (Decimal, Decimal("1.10"), Decimal("1.10")),
            (Colour, Colour.RED, Colour.RED),
            (bytes, b"text", b"text"),
            (set[int], {1}, {1}),
            (tuple[int, str], (1, "a"), (1, "a")),
            (float, 1, 1.0),
            (None, None, None),
            (str, "häß 😀", "häß 😀"),
            (dict, {"a": [1]}, {"a": [1]}),
            (Any, {"a": [1, None, "x"]}, {"a": [1, None, "x"]}),
            (Any, Point(1), {"x": 1, "y": 0.0, "tags": []}),
            (Mail, Mail.model_validate({"from": "a@b"}), Mail.model_validate({"from": "a@b"})),
            (TwoAliases, TwoAliases.model_validate({"in": 3}), TwoAliases.model_validate({"in": 3})),
        ],
    )
    def test_what_fits_the_annotation_is_written_compactly_and_read_back_typed(
        self, annotation: Any, given_value: Any, loaded: Any
    ) -> None:
        schema = Schema(annotation, "task 't'")
        text = schema.dump(given_value)
        again = schema.load(text)
        assert again == loaded
        assert type(again) is type(loaded)
        assert schema.load(text.encode()) == loaded
        assert json.loads(text) is not ... and "\n" not in text and '", "' not in text

    def test_the_text_carries_aliases_where_they_are_read_back(self) -> None:
        assert Schema(Mail).dump({"sender": "a@b"}) == '{"from":"a@b"}'

    def test_a_payload_that_does_not_fit_is_refused_with_one_line_for_each_problem(self) -> None:
        wrong = {"items": [{"name": 5, "price": "abc"}]}
        with pytest.raises(InvalidPayload) as caught:
            Schema(Order, "task 'bill'").dump(wrong)
        assert str(caught.value).splitlines() == [
            "the payload does not fit task 'bill', which takes Order:",
            "  field 'id': missing, and it has no default",
            "  field 'items.0.name': expected text, got 5 (int)",
            "  field 'items.0.price': expected number, got 'abc' (str)",
        ]
        with pytest.raises(InvalidPayload, match=r"'items\.0\.price': expected number, got 'abc' "):
            Schema(Order).load(json.dumps(wrong))

    def test_of_many_problems_ten_are_shown_and_the_rest_is_counted(self) -> None:
        with pytest.raises(InvalidPayload) as caught:
            Schema(list[int]).dump(["x"] * 25)
        assert len(str(caught.value).splitlines()) == 12
        assert str(caught.value).endswith("and 15 more")

    def test_fields_that_are_not_expected_and_long_values_are_shown_short(self) -> None:
        with pytest.raises(InvalidPayload, match="field 'copy': not expected here"):
            Schema(Mail).dump({"from": "a", "copy": 1})
        with pytest.raises(InvalidPayload, match=r"payload: expected whole number, got 'x+… \(str\)"):
            Schema(int).dump("x" * 1_000)

    def test_an_instance_that_was_made_invalid_after_it_was_made_is_refused_when_triggered(self) -> None:
        order = ORDER.model_copy(deep=True)
        order.items[0].price = "abc"  # type: ignore[assignment]
        with pytest.raises(InvalidPayload, match=r"'items\.0\.price'"):
            Schema(Order).dump(order)

    @pytest.mark.parametrize("annotation", [Any, int, Order, list[float]])
    @pytest.mark.parametrize("text", ["", "{", "[NaN]", "[-Infinity]", "[" * 100_000, b"\xff", "1 2"])
    def test_what_is_not_json_is_refused(self, annotation: Any, text: str | bytes) -> None:
        with pytest.raises(InvalidPayload, match="the payload of task 't' is not JSON"):
            Schema(annotation, "task 't'").load(text)

    @pytest.mark.parametrize("annotation", [Any, float, list[float], dict[str, Any], Item])
    def test_nan_is_refused_with_its_place_rather_than_turned_into_null(self, annotation: Any) -> None:
        nan: Any = math.nan
        value = {Item: Item(name="a", price=nan), float: nan, list[float]: [0.5, nan]}.get(annotation, {"price": nan})
        with pytest.raises(Unserializable, match=r"^payload(\.price|\[1\])? cannot be .* it is nan"):
            Schema(annotation).dump(value)

    def test_a_model_may_decide_itself_what_becomes_of_nan(self) -> None:
        class Lenient(BaseModel):
            model_config = ConfigDict(ser_json_inf_nan="null")
            score: float | None

        assert Schema(Lenient).dump_output(Lenient(score=math.nan)) == '{"score":null}'

    def test_a_type_that_cannot_be_a_schema_is_reported_with_what_to_use(self) -> None:
        class Opaque: ...

        with pytest.raises(DiscoveryError, match=r"task 't': Opaque cannot be used as a schema.*Pydantic model"):
            Schema(Opaque, "task 't'").dump(1)


class TestOutputs:
    @pytest.mark.parametrize(
        ("annotation", "value", "text"),
        [
            (Order, ORDER, ORDER_JSON),
            (Order, Gift(id=1, note="for you"), '{"id":1,"items":[]}'),
            (Order, {"id": 1}, '{"id":1}'),
            (Order, "none today", '"none today"'),
            (int, None, "null"),
            (list[Order], (ORDER,), f"[{ORDER_JSON}]"),
            (None, {"a": 1}, '{"a":1}'),
            (Any, [Point(1), Colour.RED, UUID(int=0)], None),
            (object, {1: Decimal("1.5"), "when": datetime(2026, 1, 2, tzinfo=UTC)}, None),
            (Mail, Mail.model_validate({"from": "a@b"}), '{"from":"a@b","domain":"b"}'),
        ],
    )
    def test_a_return_value_is_written_by_its_annotation_or_else_as_what_it_is(
        self, annotation: Any, value: Any, text: str | None
    ) -> None:
        written = Schema(annotation).dump_output(value)
        json.loads(written)
        assert text is None or written == text

    def test_an_output_is_read_typed_where_it_fits_and_plain_where_not(self) -> None:
        assert Schema(Order).load_output(ORDER_JSON) == ORDER
        assert Schema(Order).load_output('"none today"') == "none today"

    async def unfinished(self) -> None: ...

    @pytest.mark.parametrize("annotation", [Any, list[Order], dict[str, Any]])
    @pytest.mark.parametrize(
        ("value", "place", "advice"),
        [
            ({"items": [1, 2, 3, object()]}, "output.items[3]", "its type is object"),
            ({"a b": {"c": Path.cwd}}, "output['a b'].c", "function|method"),
            ([math.inf], "output[0]", "it is inf"),
            ({"x": [b"\xff"]}, "output.x[0]", "base64"),
            (["\ud800"], "output[0]", "surrogate"),
            (Point(1, tags=[object()]), "output.tags[0]", "its type is object"),  # type: ignore[list-item]
        ],
    )
    def test_what_is_not_json_is_refused_with_type_and_place(
        self, annotation: Any, value: Any, place: str, advice: str
    ) -> None:
        with pytest.raises(Unserializable, match=advice) as caught:
            Schema(annotation).dump_output(value)
        assert str(caught.value).startswith(f"{place} cannot be written as JSON")

    def test_a_call_that_was_not_awaited_is_named_as_such(self) -> None:
        pending = self.unfinished()
        with pytest.raises(Unserializable, match="not awaited; put `await`"):
            Schema().dump_output([pending])
        pending.close()

    @pytest.mark.parametrize("annotation", [Any, list[float], dict[str, Any]])
    def test_a_generator_is_refused_rather_than_written_half_read_or_with_nan_as_null(self, annotation: Any) -> None:
        for value in ((n for n in (1.0, math.nan)), {"n": (n for n in (1.0, math.nan))}):
            with pytest.raises(Unserializable, match=r"^output(\.n)? .* it is a generator"):
                Schema(annotation).dump_output(value)

    def test_a_list_that_contains_itself_is_refused(self) -> None:
        endless: list[Any] = [1]
        endless.append(endless)
        with pytest.raises(Unserializable, match=r"output\[1\] .* contains itself"):
            Schema().dump_output(endless)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_any_json_value_survives_writing_and_reading(value: Any) -> None:
    for write in (Schema().dump, Schema().dump_output):
        assert Schema().load(write(value)) == value


@given(st.builds(Order, id=st.integers(), items=st.lists(st.builds(Item, price=st.floats(-1e9, 1e9)), max_size=3)))
def test_any_model_survives_writing_and_reading(order: Order) -> None:
    schema = Schema(Order)
    assert schema.load(schema.dump(order)) == order
    assert schema.load_output(schema.dump_output(order)) == order


class TestDescriptions:
    @pytest.mark.parametrize(
        ("annotation", "text"),
        [
            (Any, "any JSON value"),
            (Order, "Order"),
            (None, "None"),
            (list[Order], "list[Order]"),
            (dict[str, list[Point]] | None, "dict[str, list[Point]] | None"),
            (Literal["a.b", "c"], "Literal['a.b', 'c']"),
        ],
    )
    def test_a_type_is_described_in_a_few_words(self, annotation: Any, text: str) -> None:
        assert Schema(annotation).describe() == text

    def test_json_schema_is_that_of_the_annotation_and_nothing_where_any_value_goes(self) -> None:
        made = Schema(Person | None).json_schema()
        assert made is not None
        assert {"type": "null"} in made["anyOf"]
        assert Schema().json_schema() is None
        assert Schema(Callable[[], int]).json_schema() is None

    def test_reading_signatures_and_making_schemas_imports_neither_pydantic_nor_httpx(self) -> None:
        code = (
            "import sys; from detent.sdk.schema import Schema; from detent.sdk.retry import retry;"
            "Schema(dict, 'x').load(Schema().dump({'a': 1}));"
            "print([m for m in ('pydantic', 'pydantic_core', 'httpx') if m in sys.modules])"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert out.strip() == "[]"


class TestSignatures:
    def test_the_four_shapes_of_a_task_function_are_told_apart(self) -> None:
        def nothing() -> None: ...
        def one(payload: Order) -> Gift: ...  # type: ignore[empty-body]
        async def two(payload: list[Later], ctx: Any) -> list[Later]: ...  # type: ignore[empty-body]
        def context_by_name(ctx: Any) -> None: ...
        def context_by_type(c: Context, /) -> None: ...
        def both_by_type(payload: Order, c: Context | None) -> None: ...
        def bare(payload, ctx=None): ...  # type: ignore[no-untyped-def]

        assert payload_annotation(nothing) == (Any, False, False)
        assert payload_annotation(one) == (Order, True, False)
        assert payload_annotation(two) == (list[Later], True, True)
        assert payload_annotation(context_by_name) == (Any, False, True)
        assert payload_annotation(context_by_type) == (Any, False, True)
        assert payload_annotation(both_by_type) == (Order, True, True)
        assert payload_annotation(bare) == (Any, True, True)
        assert [return_annotation(fn) for fn in (nothing, one, two, bare)] == [
            type(None),
            Gift,
            list[Later],
            Any,
        ]

    def test_types_of_the_function_around_are_found_while_it_runs_and_kept_for_later(self) -> None:
        def around() -> tuple[Any, Any, Any]:
            class Local(BaseModel):
                x: int

            def inner(payload: Local) -> Local: ...  # type: ignore[empty-body]

            return payload_annotation(inner).annotation, inner, defining_locals(inner)

        found, inner, names = around()
        assert found.__name__ == "Local"
        assert payload_annotation(inner, names).annotation is found
        assert return_annotation(inner, names) is found
        with pytest.raises(DiscoveryError, match="'Local', cannot be resolved"):
            payload_annotation(inner)

    def test_a_function_that_calls_itself_is_read_while_it_is_being_decorated(self) -> None:
        read: list[Any] = []

        def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
            read.append(payload_annotation(fn))
            return fn

        @decorate
        def count(payload: int) -> Any:
            return payload and count(payload - 1)

        assert read == [(int, True, False)]
        assert count(3) == 0

    def test_a_decorated_function_is_read_through_its_wrapper(self) -> None:
        def one(payload: Order, ctx: Any) -> Gift: ...  # type: ignore[empty-body]

        @functools.wraps(one)
        def wrapper(*args: Any, **kwargs: Any) -> Any: ...

        assert payload_annotation(wrapper) == (Order, True, True)
        assert return_annotation(wrapper) is Gift

    def test_an_annotation_that_cannot_be_resolved_is_reported_with_file_line_and_advice(self) -> None:
        def lost(payload: Absent) -> None: ...

        line = lost.__code__.co_firstlineno
        with pytest.raises(DiscoveryError) as caught:
            payload_annotation(lost)
        text = str(caught.value)
        assert text.startswith(f"{__file__}:{line}: task function ")
        assert "the annotation of 'payload', 'Absent', cannot be resolved" in text
        assert "TYPE_CHECKING" in text
        assert return_annotation(lost) is type(None)

    @pytest.mark.parametrize(
        ("fn", "what"),
        [
            (lambda a, b: None, "second parameter 'b', expected the context"),
            (lambda a, b, c: None, "has 3 parameters"),
            (lambda *a: None, "variadic positional parameter 'a'"),
            (lambda **k: None, "variadic keyword parameter 'k'"),
            (lambda *, k: None, "keyword-only parameter 'k'"),
            (lambda ctx, payload: None, "takes the context first; write (payload, ctx)"),
        ],
    )
    def test_other_shapes_are_refused_with_file_and_line(self, fn: Callable[..., Any], what: str) -> None:
        with pytest.raises(DiscoveryError) as caught:
            payload_annotation(fn)
        assert what in str(caught.value)
        assert str(caught.value).startswith(f"{__file__}:")


class Later(BaseModel):
    x: int
