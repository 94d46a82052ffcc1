from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_editor.audio.source import Source
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.render import correlation, crossfade, crossfade_gains, end_fades, join_fade, render
from rl_editor.errors import EDLError

N = 4000


def noise(seed: int = 0, n: int = N) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2, n)).astype(np.float32) * 0.1


def edit(*segments: Segment, end_fade: int = 0) -> EDL:
    return EDL(Source("0" * 64, 1000, 2, N), segments, Maker("test"), end_fade=end_fade)


spans = st.tuples(st.integers(0, N - 1), st.integers(1, N), st.integers(0, 600)).map(
    lambda t: Segment(t[0], min(t[0] + t[1], N), t[2])
)


@given(st.lists(spans, min_size=1, max_size=6), st.integers(0, 900))
def test_length_is_the_sum_of_segments_and_sound_outside_fades_is_untouched(
    segments: list[Segment], end_fade: int
) -> None:
    audio, edl = noise(), edit(*segments, end_fade=end_fade)
    song = render(audio, edl)
    assert song.shape == (2, sum(s.end - s.start for s in segments))
    fade_in, fade_out = end_fades(edl)
    at = 0
    for k, segment in enumerate(segments):
        following = join_fade(edl, k + 1) if k + 1 < len(segments) else fade_out
        first, last = (fade_in if k == 0 else 0), len(segment) - following
        expected = audio[:, segment.start + first : segment.start + last]
        assert np.array_equal(song[:, at + first : at + last], expected[:, : max(last - first, 0)])
        at += len(segment)


def test_contiguous_segments_are_bit_identical_whatever_fade_they_ask_for() -> None:
    audio = noise()
    edl = edit(Segment(100, 900), Segment(900, 2000, fade=50), Segment(2000, 2100, fade=9))
    assert np.array_equal(render(audio, edl), audio[:, 100:2100])


def test_the_fade_ends_at_the_join_so_the_attack_is_whole() -> None:
    audio = noise()
    song = render(audio, edit(Segment(0, 1000), Segment(3000, 3500, fade=80)))
    assert np.array_equal(song[:, :920], audio[:, :920])
    assert np.array_equal(song[:, 1000:], audio[:, 3000:3500])
    outgoing, incoming = audio[:, 920:1000], audio[:, 2920:3000]
    r = np.sum(outgoing * incoming) / np.sqrt(np.sum(outgoing**2) * np.sum(incoming**2))
    t = (np.arange(80) + 0.5) / 80
    level = np.sqrt((1 - t) ** 2 + t**2 + 2 * r * t * (1 - t))
    np.testing.assert_allclose(song[:, 920:1000], (outgoing * (1 - t) + incoming * t) / level, atol=1e-6)


@pytest.mark.parametrize("r", [-1.0, -0.3, 0.0, 0.41, 0.9, 1.0])
def test_gains_hold_the_level_at_every_correlation(r: float) -> None:
    a, b = crossfade_gains(64, r)
    held = max(r, -0.3)
    np.testing.assert_allclose(a**2 + b**2 + 2 * held * a * b, 1.0, atol=1e-5)
    np.testing.assert_allclose(a, b[::-1], atol=1e-6)


def test_a_crossfade_of_a_sound_with_itself_is_that_sound() -> None:
    sound = noise(n=300)
    np.testing.assert_allclose(crossfade(sound, sound), sound, atol=1e-7)
    np.testing.assert_allclose(correlation(sound, sound), 1.0, atol=1e-6)
    assert correlation(sound, np.zeros_like(sound)) == 0.0


def test_fades_are_clipped_to_what_is_there() -> None:
    first = edit(Segment(1000, 1100, fade=70), Segment(20, 500, fade=5000))
    assert (end_fades(first), join_fade(first, 1)) == ((70, 0), 20)  # only 20 samples before the landing
    second = edit(Segment(1000, 1100, fade=70), Segment(2000, 2500, fade=5000), end_fade=9999)
    assert (end_fades(second), join_fade(second, 1)) == ((70, 500), 30)
    alone = edit(Segment(0, 100, fade=80), end_fade=80)
    assert end_fades(alone) == (80, 20)


def test_gain_is_applied_to_its_segment_only() -> None:
    audio = noise()
    edl = edit(Segment(0, 1000), Segment(2000, 3000, gain_db=-20.0))
    song = render(audio, edl)
    assert np.array_equal(song[:, :1000], audio[:, :1000])
    np.testing.assert_allclose(song[:, 1000:], audio[:, 2000:3000] * 0.1, rtol=1e-5)


def test_a_recording_of_another_length_is_refused() -> None:
    with pytest.raises(EDLError, match="3999 samples, the EDL's source 4000"):
        render(noise(n=N - 1), edit(Segment(0, 10)))


def test_a_hand_changed_edit_renders_what_it_says() -> None:
    audio = noise()
    edl = edit(Segment(0, 1000), Segment(2000, 3000))
    changed = replace(edl, segments=edl.segments[::-1])
    assert np.array_equal(render(audio, changed)[:, :1000], audio[:, 2000:3000])
