"""A reward model as a checkpoint for use, and back."""

from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from rl_editor import checkpoints
from rl_editor.analysis.store import ANALYSIS_VERSION
from rl_editor.checkpoint_card import Card
from rl_editor.errors import CheckpointError
from rl_editor.policies.edit_description import ABOUT_COLUMNS, TOKEN_COLUMNS
from rl_editor.policies.edit_scorer import EditScorer, ScorerConfig
from rl_editor.policies.network_file import described, filled
from rl_editor.policies.recordings import BEAT_COLUMNS

NAME = "reward"
"""Task of the checkpoint, and its name where it lies in a run's folder."""
FILE = f"{NAME}{checkpoints.SUFFIX}"
_MADE_FOR = {"beat_columns": BEAT_COLUMNS, "token_columns": [*TOKEN_COLUMNS], "about_columns": [*ABOUT_COLUMNS]}


class LoadedScorer(NamedTuple):
    """A reward model that was read."""

    scorer: EditScorer
    """In eval mode."""
    content_hash: str


def save_scorer(path: Path, scorer: EditScorer, card: Card, *, overwrite: bool = False) -> str:
    """Write a reward model and its card; SHA-256 of the content.

    Raises:
        EditorError: a file is there already, or can't be written.
    """
    content = {"scorer": asdict(scorer.config), "made_for": {"analysis": ANALYSIS_VERSION, **_MADE_FOR}}
    return checkpoints.save(path, scorer.state_dict(), config=content, card=card, overwrite=overwrite)


def load_scorer(path: Path) -> LoadedScorer:
    """A reward model, ready to judge.

    Raises:
        CheckpointError: the file is missing, damaged, no reward model, or was made for other descriptions of edits.
    """
    loaded = checkpoints.load(path, NAME)
    made_for = loaded.config.get("made_for", {})
    if {key: made_for.get(key) for key in _MADE_FOR} != _MADE_FOR:
        raise CheckpointError(f"{path}: made for another analysis than this program's; train one anew (reward-model)")
    config = described(path, loaded.config.get("scorer"), lambda told: ScorerConfig(**told))
    return LoadedScorer(filled(path, EditScorer(config), loaded), loaded.content_hash)
