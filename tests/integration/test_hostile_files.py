"""Hostile and odd inputs: the documented exit status, one line, nothing half-written; what is made is whole."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest


def _cases() -> ModuleType:
    """The cases, which `benchmarks/hostile_files.py` runs too; tests are no package to import them from."""
    spec = importlib.util.spec_from_file_location("hostile_cases", Path(__file__).with_name("hostile_cases.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


hostile = _cases()


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return hostile.made_music()


@pytest.mark.slow
@pytest.mark.parametrize("case", hostile.CASES, ids=lambda case: ascii(case.name)[1:-1])
def test_a_hostile_input_ends_as_documented_and_leaves_nothing_half_written(
    case: Any, music: np.ndarray, tmp_path: Path
) -> None:
    faults = {result.command.text: result.faults for result in case.run(tmp_path / "case", music) if result.faults}
    assert not faults


def test_there_are_many_cases_and_each_has_a_name_of_its_own() -> None:
    names = [case.name for case in hostile.CASES]
    assert len(names) >= 60
    assert len(set(names)) == len(names)
