from __future__ import annotations

import io
import itertools
from collections.abc import Iterator

import av
import lameenc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detent.tts.mp3_frames import NotMp3, read_frames
from detent.tts.mp3_info import make_info, read_info
from detent.tts.mp3_merge import Merged, PartsDiffer, merge

Samples = np.ndarray[tuple[int, ...], np.dtype[np.int16]]
Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def sound(seed: int, rate: int, channels: int = 1, seconds: float = 1.2) -> Samples:
    """Noise in syllables, loud from end to end, so that every stretch is found in one place only."""
    rng = np.random.default_rng(seed)
    count = int(rate * seconds) + seed * 97 % 576
    noise = rng.standard_normal((count, channels))
    smooth = np.apply_along_axis(lambda one: np.convolve(one, np.hanning(9) / 4.5, "same"), 0, noise)
    loudness = 0.7 + 0.3 * np.sin(np.arange(count) / rate * 2 * np.pi * (3 + seed % 5) + np.pi / 2)
    return (smooth * loudness[:, None] * 7000).clip(-32000, 32000).astype(np.int16)


def encoded(samples: Samples, rate: int, *, vbr: bool = False, bitrate: int = 64) -> bytes:
    channels = samples.shape[1]
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_in_sample_rate(rate)
    encoder.set_out_sample_rate(rate)
    encoder.set_channels(channels)
    encoder.set_quality(5)
    if vbr:
        encoder.set_vbr(4)
        encoder.set_vbr_quality(3)
    else:
        encoder.set_bit_rate(bitrate * channels)
    return bytes(encoder.encode(samples.tobytes())) + bytes(encoder.flush())


def tagged(part: bytes, samples: int) -> bytes:
    """The part with an Info frame that states LAME's delay and padding."""
    frames = list(read_frames([part]))
    header = frames[0].header
    padding = len(frames) * header.samples - 576 - samples
    info = make_info(header, frames=len(frames), size=len(part), toc=bytes(100), delay=576, padding=padding)
    return info + part


def wrapped(part: bytes) -> bytes:
    """The part as files in the wild have it: an ID3v2 tag with a footer before, APEv2 and ID3v1 after."""
    text = b"TIT2\0\0\0\x0a\0\0\0" + b"\xff\xfb\x90\x64" * 40
    head = b"\x04\0\x10" + bytes([0, 0, len(text) >> 7, len(text) & 0x7F])
    ape = b"APETAGEX" + (2000).to_bytes(4, "little") + (32 + 8).to_bytes(4, "little") + (1).to_bytes(4, "little")
    items = b"\xff\xfb\x90\x64\xff\xfb\x90\x64"
    return (
        b"ID3" + head + text + b"3DI" + head + part
        + ape + (0xA0000000).to_bytes(4, "little") + bytes(8) + items
        + ape + (0x80000000).to_bytes(4, "little") + bytes(8)
        + b"TAG" + b"\xff\xfb" * 62 + b"\xff"
    )  # fmt: skip


def joined(parts: list[bytes]) -> tuple[bytes, Merged]:
    out = io.BytesIO()
    merged = merge(iter(parts), out)
    assert out.tell() == merged.size_bytes == len(out.getvalue())
    return out.getvalue(), merged


def decoded(data: bytes) -> tuple[Floats, int, float]:
    """What an independent decoder plays: samples by channel, sample rate, duration as shown in seconds."""
    with av.open(io.BytesIO(data), format="mp3") as container:
        stream = container.streams.audio[0]
        shown = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        blocks = [frame.to_ndarray().astype(np.float64) for frame in container.decode(stream)]
        return np.concatenate(blocks, axis=1), stream.sample_rate, shown


def places(whole: Floats, piece: Floats) -> tuple[int, float, float]:
    """Where `piece` fits best in `whole`, how well (1 is exact), and how well it fits anywhere else."""
    size = 1 << (len(whole) + len(piece)).bit_length()
    product = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(piece, size)), size)
    energy = np.concatenate([[0.0], np.cumsum(whole**2)])
    room = len(whole) - len(piece) + 1
    fit = product[:room] / np.sqrt((energy[len(piece) :] - energy[:room]) * np.sum(piece**2) + 1e-12)
    at = int(fit.argmax())
    apart = np.abs(np.arange(room) - at) > len(piece) // 4
    return at, float(fit[at]), float(fit[apart].max(initial=0.0))


def longest_silence(samples: Floats, rate: int) -> float:
    quiet = np.abs(samples) < 0.004
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    return float((edges[1::2] - edges[::2]).max(initial=0)) / rate


def each_of(dresses: list[str], rates: list[int]) -> list[tuple[int, int, bool, str]]:
    return list(itertools.product(rates, [1, 2], [False, True], dresses))


#: What stands around the frames has nothing to do with their rate, so that `make test` looks at each at one rate alone.
ALWAYS = [*each_of(["bare"], [16000, 22050, 24000, 44100]), *each_of(["tagged", "wrapped"], [24000])]
ELSE = each_of(["tagged", "wrapped"], [16000, 22050, 44100])


@pytest.mark.parametrize(
    ("rate", "channels", "vbr", "dress"), [*ALWAYS, *(pytest.param(*way, marks=pytest.mark.soak) for way in ELSE)]
)
def test_every_part_is_heard_once_in_order_without_a_gap(rate: int, channels: int, vbr: bool, dress: str) -> None:
    sounds = [sound(seed, rate, channels) for seed in range(6)]
    parts = [encoded(one, rate, vbr=vbr) for one in sounds]
    if dress != "bare":
        parts = [tagged(part, len(one)) for part, one in zip(parts, sounds, strict=True)]
    if dress == "wrapped":
        parts = [wrapped(part) for part in parts]

    data, merged = joined(parts)
    whole, shown_rate, shown = decoded(data)

    assert (shown_rate, merged.sample_rate, merged.channels) == (rate, rate, channels)
    assert abs(shown - whole.shape[1] / rate) < 0.002
    assert abs(shown - merged.duration_s) < 0.002
    end = 0
    for one, part in zip(sounds, merged.parts, strict=True):
        reference = one[:, 0] / 32768
        at, fit, elsewhere = places(whole[0], reference)
        assert fit > (0.9 if vbr or channels == 2 else 0.8)
        assert elsewhere < 0.25
        assert abs(at / rate - part.start_s) < 0.0005
        assert 0 <= at - end < 0.06 * rate + 1 or not end
        for edge in (0, len(reference) - rate // 10):
            piece = reference[edge : edge + rate // 10]
            _, edge_fit, _ = places(whole[0, at + edge : at + edge + len(piece)], piece)
            assert edge_fit > 0.7, (edge, edge_fit)
        end = at + len(reference)
    assert longest_silence(whole[0], rate) < 0.06
    seams = len(parts) - 1
    total = sum(map(len, sounds)) / rate
    assert total - 0.001 <= shown <= total + 0.06 * seams + (0.06 if dress == "bare" else 0.002)


@pytest.mark.parametrize("dress", ["bare", "tagged"])
@pytest.mark.parametrize("rate", [16000, 22050, 24000, 32000, 44100, 48000])
def test_wherever_a_part_ends_in_its_last_frame_the_seam_is_short(rate: int, dress: str) -> None:
    after = sound(2, rate, seconds=0.3)
    for more in range(0, 1152, 128):
        before = np.concatenate([base := sound(1, rate, seconds=0.4), base[:more]])
        parts = [encoded(before, rate), encoded(after, rate)]
        if dress == "tagged":
            parts = [tagged(part, len(one)) for part, one in zip(parts, (before, after), strict=True)]

        whole = decoded(joined(parts)[0])[0][0]

        gap = places(whole, after[:, 0] / 32768)[0] - places(whole, before[:, 0] / 32768)[0] - len(before)
        assert 0 <= gap < 0.06 * rate, (more, gap / rate)


def test_parts_that_differ_are_refused_with_the_reason() -> None:
    first = encoded(sound(1, 24000), 24000)
    for other, reason in (
        (
            encoded(sound(2, 22050), 22050),
            "part 2 differs in sample rate: it has 22050 Hz, the first part has 24000 Hz",
        ),
        (
            encoded(sound(2, 24000, 2), 24000),
            "part 2 differs in number of channels: it has 2, the first part has 1",
        ),
    ):
        with pytest.raises(PartsDiffer, match=reason):
            joined([first, other])


@pytest.mark.parametrize("junk", [b"", b"\0" * 5000, b"<html>no</html>", b"ID3\4\0\0\0\0\0\5hello", b"\xff\xfb\x90"])
def test_a_part_without_audio_is_refused_by_its_number(junk: bytes) -> None:
    with pytest.raises(NotMp3, match="part 2: it holds no frame"):
        joined([encoded(sound(1, 16000), 16000), junk])


def test_no_part_at_all_is_refused() -> None:
    with pytest.raises(NotMp3, match="no part to merge"):
        joined([])


def test_a_free_format_stream_is_refused_with_the_reason() -> None:
    with pytest.raises(NotMp3, match="free-format"):
        joined([(b"\xff\xfb\x00\x64" + bytes(500)) * 4])


def test_pieces_of_any_size_give_the_same_file() -> None:
    part = wrapped(encoded(sound(3, 22050), 22050))
    expected = io.BytesIO()
    merge([part, part], expected)

    for size in (1, 7, 1000):
        out = io.BytesIO()
        merge([(part[at : at + size] for at in range(0, len(part), size))] * 1 + [part], out)
        assert out.getvalue() == expected.getvalue()


def test_a_long_part_is_never_held_in_memory() -> None:
    part = encoded(sound(1, 44100, 2), 44100)
    out = io.BytesIO()
    held: list[int] = []

    def pieces() -> Iterator[bytes]:
        for count in range(1, 21):
            yield part
            # All but the frames held back and the piece before is in the file already.
            held.append(count * len(part) - out.tell())

    merged = merge([pieces()], out)

    assert max(held) < 2 * len(part)
    assert merged.frames == 20 * len(list(read_frames([part])))


def test_a_frame_cut_short_at_the_end_is_left_out() -> None:
    sounds = [sound(1, 24000), sound(2, 24000)]
    whole = encoded(sounds[0], 24000)
    frames = list(read_frames([whole]))
    cut = whole[: len(whole) - len(frames[-1].data) // 2]

    data, merged = joined([tagged(whole, len(sounds[0]))[:-50], encoded(sounds[1], 24000)])

    assert [frame.data for frame in read_frames([cut])] == [frame.data for frame in frames[:-1]]
    assert places(decoded(data)[0][0], sounds[1][:, 0] / 32768)[1] > 0.8
    assert merged.parts[1].start_s > 0


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_junk_between_frames_changes_nothing(data: st.DataObject) -> None:
    frames = [frame.data for frame in read_frames([PLAIN])][:12]
    junk = st.binary(max_size=30).filter(lambda some: b"\xff" not in some and b"ID3" not in some and b"TAG" not in some)

    noisy = b"".join(frame + data.draw(junk) for frame in frames[:-2]) + b"".join(frames[-2:])

    assert [frame.data for frame in read_frames([noisy])] == frames


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_parts_end_in_a_file_or_in_a_reason(data: st.DataObject) -> None:
    marks = [
        b"\xff\xfb\x90\x64",
        b"\xff\xf3\x84\xc4",
        b"ID3\4\0\0\0\0\1\1",
        b"TAG",
        b"APETAGEX",
        b"Xing",
        b"Info",
        b"LAME",
    ]
    pieces = st.one_of(st.binary(max_size=60), st.sampled_from(marks), st.sampled_from(SLICES))
    parts = data.draw(st.lists(st.lists(pieces, max_size=8), min_size=1, max_size=3))

    try:
        out, merged = joined([b"".join(part) for part in parts])
    except (NotMp3, PartsDiffer) as refused:
        assert str(refused)
    else:
        assert sum(1 for frame in read_frames([out]) if frame.info is None) == merged.frames


@pytest.mark.parametrize("mark", [b"Xing", b"Info"])
def test_a_frame_that_is_made_silent_does_not_turn_into_one_of_information(mark: bytes) -> None:
    """Given a part cut out of a stream, whose first frame holds by chance what begins a frame of information, then it
    stays a frame of sound."""
    frames = list(read_frames([encoded(sound(2, 44100), 44100, bitrate=128)]))
    start = next(at for at, frame in enumerate(frames) if at > 4 and frame.reach_back > 100)
    first = frames[start]
    at = first.header.main_at
    clipped = first.data[:at] + mark + first.data[at + 4 :] + b"".join(frame.data for frame in frames[start + 1 :])

    data, merged = joined([clipped])

    assert sum(1 for frame in read_frames([data]) if frame.info is None) == merged.frames == len(frames) - start


def test_frames_that_reach_back_before_their_part_are_made_silent_and_the_rest_is_kept() -> None:
    one, two = sound(1, 44100), sound(2, 44100)
    frames = list(read_frames([encoded(two, 44100, bitrate=128)]))
    start = next(at for at, frame in enumerate(frames) if at > 4 and frame.reach_back > 100)
    clipped = b"".join(frame.data for frame in frames[start:])

    data, merged = joined([encoded(one, 44100, bitrate=128), clipped])

    second = merged.parts[1]
    kept = [frame for frame in read_frames([data]) if frame.info is None]
    assert merged.frames == len(kept)
    assert kept[-len(frames[start:])].reach_back == 0
    reference = two[(start + 4) * 1152 : -2000, 0] / 32768
    assert places(decoded(data)[0][0], reference)[1] > 0.95
    assert second.start_s == pytest.approx(len(one) / 44100, abs=0.06)


@pytest.mark.parametrize("vbr", [False, True])
def test_the_info_frame_says_what_follows_and_where(vbr: bool) -> None:
    parts = [tagged(encoded(sound(seed, 44100), 44100, vbr=vbr), len(sound(seed, 44100))) for seed in range(20)]
    data, merged = joined(parts)

    head, *frames = read_frames([data])
    info = read_info(head)

    assert info is not None
    assert (info.frames, info.delay) == (merged.frames, 576)
    tag = head.info
    assert tag is not None
    assert tag[:4] == (b"Xing" if vbr else b"Info")
    assert int.from_bytes(tag[12:16], "big") == len(data)
    assert len(frames) == merged.frames
    starts = np.cumsum([len(head.data), *(len(frame.data) for frame in frames)])
    for percent, place in enumerate(tag[16:116]):
        assert abs(place / 256 - starts[percent * len(frames) // 100] / len(data)) < 0.012


def test_the_duration_of_many_parts_is_their_sum() -> None:
    part = encoded(sound(1, 24000, seconds=20), 24000)

    merged = merge([part] * 30, out := io.BytesIO())

    assert merged.duration_s == pytest.approx(600, abs=30 * 0.06 + 0.1)
    assert out.tell() == merged.size_bytes


PLAIN = encoded(sound(1, 24000, seconds=0.5), 24000)
SLICES = [
    PLAIN,
    PLAIN[:-33],
    PLAIN[500:],
    PLAIN[:100],
    tagged(PLAIN, 12000),
    encoded(sound(2, 44100, 2, seconds=0.2), 44100),
]
