from __future__ import annotations

import time

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detent.tts.chunks import split_text

GRAPHEMES = regex.compile(r"\X")
ALPHABET = st.one_of(
    st.sampled_from("ab .!?,\n\r\t\u0301\u200d\u0600\u0915\u094d\u0937"),
    st.sampled_from("\u0964\u3002\u0e01\u0e34\u2029\x1c\x85"),
    st.sampled_from(["\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\r\n", "\n\n"]),
    st.sampled_from(["Mr. ", "3.14", " \u0301"]),
    st.characters(),
)
TEXTS = st.lists(ALPHABET, max_size=120).map("".join)


def gaps_of(text: str, chunks: list[str]) -> list[str]:
    """What lies before, between and after the chunks, found by walking the text once."""
    gaps, at = [], 0
    for chunk in chunks:
        begin = at
        while not text.startswith(chunk, begin):
            assert text[begin].isspace(), (text, chunks)
            begin += 1
        gaps.append(text[at:begin])
        at = begin + len(chunk)
    return [*gaps, text[at:]]


@given(TEXTS, st.integers(1, 40))
@example("\u0600 ", 1)
@example("a \u0301b", 2)
@settings(max_examples=600, deadline=None)
def test_nothing_is_lost_and_nothing_is_said_twice(text: str, limit: int) -> None:
    chunks = split_text(text, limit)

    assert all(0 < len(chunk) <= limit for chunk in chunks)
    assert "".join("".join(chunks).split()) == "".join(text.split())
    assert all(not gap or gap.isspace() for gap in gaps_of(text, chunks))


@given(TEXTS, st.integers(8, 40))
@settings(max_examples=600, deadline=None)
def test_no_grapheme_that_fits_is_cut(text: str, limit: int) -> None:
    spans = [match.span() for match in GRAPHEMES.finditer(text)]
    if any(end - start > limit for start, end in spans):
        return
    boundaries = {0, *(end for _, end in spans)}

    at = 0
    chunks = split_text(text, limit)
    for gap, chunk in zip(gaps_of(text, chunks), chunks, strict=False):
        at += len(gap)
        assert at in boundaries
        at += len(chunk)
        assert at in boundaries


@given(st.text(" \t\n\r\u2003\u3000\x1c\u2029"), st.integers(1, 10))
def test_white_space_alone_gives_no_chunk(text: str, limit: int) -> None:
    assert split_text(text, limit) == []


@given(TEXTS, st.integers(2, 40))
@settings(deadline=None)
def test_two_neighbours_never_fit_into_one_chunk_with_room_to_spare(text: str, limit: int) -> None:
    chunks = split_text(text, limit)
    gaps = gaps_of(text, chunks)[1:]
    for left, gap, right in zip(chunks, gaps, chunks[1:], strict=False):
        assert len(left) + len(gap) + len(right) > limit // 2


def test_a_short_text_is_one_chunk_without_its_edges() -> None:
    assert split_text("  One line.\n") == ["One line."]


def test_a_paragraph_is_preferred_to_a_sentence_and_a_sentence_to_a_word() -> None:
    two_paragraphs = "First one. Second.\n\nThird. And a fourth one"
    assert split_text(two_paragraphs, 30) == ["First one. Second.", "Third. And a fourth one"]
    assert split_text("One two three. Four five six seven", 24) == ["One two three.", "Four five six seven"]
    assert split_text("one two three four", 10) == ["one two", "three four"]


def test_abbreviations_and_decimals_are_not_ends_of_sentences() -> None:
    assert split_text("He was out. Then Dr. Smith came.", 21) == ["He was out.", "Then Dr. Smith came."]
    assert split_text("It is so. The value is 3.14159 m", 26) == ["It is so. The value is", "3.14159 m"]
    assert split_text("Ask at home. See e.g. the book.", 22) == ["Ask at home.", "See e.g. the book."]


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("吾輩は猫である。名前は無い。どこで", 15, ["吾輩は猫である。名前は無い。", "どこで"]),
        ("他说「你好。」然后他走了。我们也走了", 16, ["他说「你好。」然后他走了。", "我们也走了"]),
        ("राम घर गया। सीता वन गई। वे मिले", 24, ["राम घर गया। सीता वन गई।", "वे मिले"]),
        ("هل أنت هنا؟ نعم أنا هنا اليوم", 17, ["هل أنت هنا؟", "نعم أنا هنا اليوم"]),
    ],
    ids=["japanese", "chinese", "devanagari", "arabic"],
)
def test_the_full_stop_of_the_script_ends_a_chunk(text: str, limit: int, expected: list[str]) -> None:
    assert split_text(text, limit) == expected


def test_a_text_without_spaces_is_split_inside_no_grapheme() -> None:
    text = "กำลังดื่มน้ำที่บ้านเพื่อนผู้ใหญ่" * 50

    chunks = split_text(text, 101)

    assert "".join(chunks) == text
    assert [g for chunk in chunks for g in GRAPHEMES.findall(chunk)] == GRAPHEMES.findall(text)
    assert min(len(chunk) for chunk in chunks[:-1]) > 95


def test_a_grapheme_longer_than_the_limit_is_cut_between_code_points() -> None:
    text = "e" + "\u0301" * 25

    assert [len(chunk) for chunk in split_text(text, 10)] == [10, 10, 6]


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="limit is 0"):
        split_text("text", 0)


@pytest.mark.parametrize(
    "unit",
    ["word ", "x", "\n", "\u0301", "a. ", "ก", "\U0001f1e9", "x" + " " * 9000],
    ids=["words", "one word", "line ends", "one grapheme", "sentences", "thai", "flags", "gaps"],
)
def test_a_megabyte_takes_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        text = (unit * (size // len(unit) + 1))[:size]
        before = time.process_time()
        split_text(text)
        return time.process_time() - before

    assert seconds(1_000_000) < 12 * seconds(250_000) + 0.5
