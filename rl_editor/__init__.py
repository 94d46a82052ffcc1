"""Turn a long recording into a song.

    track = rl_editor.analyse(audio, sample_rate)
    song, edl = rl_editor.edit(audio, sample_rate, duration_s=240)

Beat editing for agents is `gymnasium.make("rl_editor/BeatEdit-v0")`, registered with this import.

Everything heavy is imported by the call that needs it.
"""

from typing import TYPE_CHECKING

import gymnasium

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from rl_editor.analysis.track import Track
    from rl_editor.arrays import Array
    from rl_editor.edits.edl import EDL
    from rl_editor.edits.request import Order

__all__ = ["__version__", "analyse", "edit"]

gymnasium.register(
    "rl_editor/BeatEdit-v0",
    entry_point="rl_editor.envs.beat_edit.gymnasium_env:BeatEdit",
    vector_entry_point="rl_editor.envs.beat_edit.vector_env:BeatEditVectorEnv",
)


def analyse(audio: "np.ndarray[tuple[int, ...], np.dtype[np.floating]]", sample_rate: int) -> "Track":
    """Everything an editor may know about a recording.

    Args:
        audio: floating point, (channels, samples) or (samples,).
        sample_rate: Hz.
    Raises:
        AudioError: the sound is shorter than 2 s, silent, of another shape, or holds values that are not numbers.
    """
    from rl_editor.analysis.analyse import analyse as analyse_sound

    return analyse_sound(_as_channels(audio), sample_rate)


def edit(
    audio: "np.ndarray[tuple[int, ...], np.dtype[np.floating]]",
    sample_rate: int,
    *,
    duration_s: float | None = None,
    keep: float | None = None,
    slack_s: float = 1.0,
    locks: "Sequence[tuple[float, float]]" = (),
    bans: "Sequence[tuple[float, float]]" = (),
    start_s: float | None = None,
    end_s: float | None = None,
    order: "Order" = "forward",
    loops: bool = False,
    editor: str = "auto",
    seed: int = 0,
) -> "tuple[Array, EDL]":
    """A shorter (or longer) version of a recording, and the edit that made it.

    Args:
        audio: floating point, (channels, samples) or (samples,).
        sample_rate: Hz.
        duration_s: length in seconds; without it and `keep` the length follows from the content.
        keep: length as a share of the recording.
        slack_s: most seconds by which the length may differ; 0 is exact.
        locks: ranges in seconds that must be played.
        bans: ranges in seconds that must not be played.
        start_s: second of the recording to begin with.
        end_s: second of the recording to end with.
        order: `forward`, or `free`: parts may change places.
        loops: allow repeats even where the length does not demand them.
        editor: name in the entry-point group `rl_editor.editors`; `auto` is the shipped policy, or the planner where
            that can't.
        seed: for editors that draw by chance.
    Returns:
        float32 (channels, samples) and its EDL.
    Raises:
        AudioError: as `analyse`.
        RequestError: no edit of this recording meets the request.
    """
    from rl_editor.analysis.analyse import analyse as analyse_sound
    from rl_editor.edits.registry import load_editor
    from rl_editor.edits.render import render
    from rl_editor.edits.request import EditRequest

    sound = _as_channels(audio)
    request = EditRequest(
        target_s=duration_s,
        keep=keep,
        slack_s=slack_s,
        locks=tuple(locks),
        bans=tuple(bans),
        start_s=start_s,
        end_s=end_s,
        order=order,
        loops=loops,
        seed=seed,
    )
    edl = load_editor(editor).edit(analyse_sound(sound, sample_rate), request)[0]
    return render(sound, edl), edl


def _as_channels(audio: "np.ndarray[tuple[int, ...], np.dtype[np.floating]]") -> "Array":
    import numpy as np

    from rl_editor.errors import AudioError

    if not np.issubdtype(audio.dtype, np.floating):
        raise AudioError(f"sound must be floating point, full scale 1.0, not {audio.dtype}")
    if audio.ndim > 2 or (audio.ndim == 2 and audio.shape[0] > audio.shape[1]):
        raise AudioError(f"sound of shape {audio.shape}: must be (channels, samples), or (samples,)")
    return np.ascontiguousarray(np.atleast_2d(audio), dtype=np.float32)


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("rl-editor")
    raise AttributeError(f"module 'rl_editor' has no attribute {name!r}")
