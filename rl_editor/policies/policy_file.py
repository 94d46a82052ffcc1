"""A policy as a checkpoint for use, and back."""

from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from rl_editor import checkpoints
from rl_editor.analysis.store import ANALYSIS_VERSION
from rl_editor.checkpoint_card import Card
from rl_editor.errors import CheckpointError
from rl_editor.policies.network_file import described, filled
from rl_editor.policies.policy import Policy, PolicyConfig
from rl_editor.policies.recordings import BEAT_COLUMNS, LANDING_COLUMNS
from rl_editor.policies.track_encoder import EncoderConfig

NAME = "policy"
"""Task of the checkpoint, and its name where it is shipped or lies in a run's folder."""
FILE = f"{NAME}{checkpoints.SUFFIX}"


class LoadedPolicy(NamedTuple):
    """A policy that was read."""

    policy: Policy
    """In eval mode."""
    config: PolicyConfig
    content_hash: str


def save_policy(path: Path, policy: Policy, config: PolicyConfig, card: Card, *, overwrite: bool = False) -> str:
    """Write a policy and its card; SHA-256 of the content.

    Raises:
        EditorError: a file is there already, or can't be written.
    """
    made_for = {"analysis": ANALYSIS_VERSION, "beat_columns": BEAT_COLUMNS, "landing_columns": LANDING_COLUMNS}
    content = {"policy": asdict(config), "made_for": made_for}
    return checkpoints.save(path, policy.state_dict(), config=content, card=card, overwrite=overwrite)


def load_policy(path: Path) -> LoadedPolicy:
    """A policy, ready to play.

    Raises:
        CheckpointError: the file is missing, damaged, no policy, or was made for recordings analysed otherwise.
    """
    loaded = checkpoints.load(path, NAME)
    made_for = loaded.config.get("made_for", {})
    if (made_for.get("beat_columns"), made_for.get("landing_columns")) != (BEAT_COLUMNS, LANDING_COLUMNS):
        raise CheckpointError(f"{path}: made for another analysis than this program's; train one anew (bc-warmup)")
    config = described(path, loaded.config.get("policy"), lambda told: PolicyConfig(EncoderConfig(**told["encoder"])))
    policy = filled(path, Policy(BEAT_COLUMNS, LANDING_COLUMNS, config), loaded)
    return LoadedPolicy(policy, config, loaded.content_hash)
