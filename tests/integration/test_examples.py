"""The examples, and the environment as a user makes it who brings nothing: in processes of their own."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rl_editor
from rl_editor.audio.files import write_audio
from rl_editor.audio.sample_songs import make_song
from rl_editor.errors import AudioError

_EXAMPLES = Path(__file__).parents[2] / "examples"
_ROLLOUT = """
import sys
import rl_editor
heavy = {"torch", "librosa", "lightning", "demucs"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
import gymnasium
env = gymnasium.make("rl_editor/BeatEdit-v0", render_mode="rgb_array")
observation, info = env.reset(seed=0)
for _ in range(50):
    observation, reward, terminated, truncated, info = env.step(int(info["mask"].argmax()))
assert env.render().ndim == 3
assert env.unwrapped.audio().shape == (2, env.unwrapped.edl().n_samples)
assert not {"lightning", "demucs"} & set(sys.modules), "lightning and demucs are not needed to play"
assert gymnasium.make("rl_editor:rl_editor/BeatEdit-v0").spec.id == "rl_editor/BeatEdit-v0"
assert gymnasium.make_vec("rl_editor/BeatEdit-v0", num_envs=2).num_envs == 2
"""


def python(*args: str, cwd: Path | None = None) -> str:
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # several tests run at once: more would wait for each other
    command = [sys.executable, "-W", "error", *args]
    done = subprocess.run(command, env=one_thread, cwd=cwd, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_environment_is_made_of_sample_songs_without_what_it_does_not_need() -> None:
    python("-c", _ROLLOUT)


def test_a_module_s_name_registers_it() -> None:
    python("-c", "import gymnasium; gymnasium.make('rl_editor:rl_editor/BeatEdit-v0').reset(seed=0)")


def test_random_play_finishes_edits() -> None:
    out = python(str(_EXAMPLES / "gymnasium_random.py"), "--steps", "400")
    assert "edit 1: return" in out
    assert "400 steps" in out


@pytest.mark.parametrize(("name", "steps"), [("sb3_dqn.py", 120), ("sb3_maskable_ppo.py", 128)])
def test_stable_baselines_trains_and_edits(name: str, steps: int) -> None:
    pytest.importorskip("stable_baselines3")
    pytest.importorskip("sb3_contrib")
    out = python(str(_EXAMPLES / name), "--steps", str(steps))
    assert "total_timesteps" in out
    assert "return " in out
    assert "sample_song_" in out


def documented() -> tuple[str, list[str]]:
    """The page on environments, and its Python."""
    page = (_EXAMPLES.parent / "docs" / "environments.md").read_text(encoding="utf-8")
    return page, [block.split("```")[0] for block in page.split("```python\n")[1:]]


def test_what_the_documentation_shows_runs_and_has_the_shapes_it_tells() -> None:
    page, (first, judged, _) = documented()
    told = "print({name: box.shape[0] for name, box in env.observation_space.items()})"
    shapes = python("-c", first + told).splitlines()[-1]
    for name, size in ast.literal_eval(shapes).items():
        assert f"{name}: Box({size})" in page
    to_the_end = first.split("observation, info")[1].split("print")[0].replace("first legal", "lowest")
    python("-c", judged + "observation, info" + to_the_end + "assert len(env.unwrapped.edl().segments) >= 1")


def test_the_documentation_s_own_recording_runs(tmp_path: Path) -> None:
    _, (*_, own) = documented()
    song = make_song(np.random.default_rng(0), sample_rate=22050, length_s=60.0)
    write_audio(tmp_path / "jam.wav", song.mix, 22050)
    python("-c", own + "[env.step(0) for _ in range(4)]; assert env.unwrapped.audio().shape[0] == 2", cwd=tmp_path)


def test_sound_the_wrong_way_round_is_told() -> None:
    with pytest.raises(AudioError, match=r"\(66150, 2\): must be \(channels, samples\)"):
        rl_editor.analyse(np.zeros((66150, 2), dtype=np.float32), 22050)
