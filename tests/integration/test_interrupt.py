"""Ctrl-C, as the terminal sends it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rl_editor.audio.files import read_audio


@pytest.mark.parametrize("delay_s", [1.0, 2.0, 4.0])
def test_an_interrupted_edit_leaves_no_half_file(jam: Path, delay_s: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "rl_editor", "edit", str(jam), "--quiet"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(delay_s)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=120)
    # -2: Python ends itself by the signal where it came during an import; a shell reports 130 for either
    assert process.returncode in (0, 130, -signal.SIGINT), told
    assert "Traceback" not in told
    names = {path.name for path in jam.parent.iterdir()}
    assert names <= {"jam.wav", "jam.edit.wav", "jam.edit.json", "jam.edit.png"}
    if process.returncode == 0:
        assert len(names) == 4
    if "jam.edit.wav" in names:
        assert read_audio(jam.parent / "jam.edit.wav").audio.size
