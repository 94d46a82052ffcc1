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


_SWALLOWED = """
import ctypes, os, signal, sys, time, types
from rl_editor.cli import main

def interrupted():
    os.kill(os.getpid(), signal.SIGINT)
    return 0

def run(_):
    ctypes.CFUNCTYPE(ctypes.c_int)(interrupted)()
    for _ in range(600):
        time.sleep(0.1)
    return 0

parser = lambda: types.SimpleNamespace(parse_args=lambda rest: None)
sys.modules["rl_editor.cli.wait"] = types.SimpleNamespace(parser=parser, run=run)
main.COMMANDS["wait"] = "compiled code that calls back"
main.main(["wait"])
"""


def test_an_interruption_that_compiled_code_swallows_is_raised_again() -> None:
    done = subprocess.run([sys.executable, "-c", _SWALLOWED], check=False, capture_output=True, text=True, timeout=50)
    assert done.returncode == 130, done.stderr
    assert done.stderr.strip() == "rl-editor: interrupted; nothing half-written was left"
