"""PPO for editing: an imitating policy goes on to learn by what its edits are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback
from torch import Tensor

from rl_editor.checkpoints import find
from rl_editor.data.comparisons import merged, read_comparisons
from rl_editor.data.splits import Split
from rl_editor.data.training_files import file_hash
from rl_editor.edits.actions import END, column_of
from rl_editor.envs.beat_edit.environment import BeatEditEnv, Judge
from rl_editor.envs.beat_edit.instances import InstanceConfig, Instances, draw_requests, meetable_instances
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.errors import RecipeError
from rl_editor.modules.edit_views import ACTIONS
from rl_editor.modules.export import ExportPolicy
from rl_editor.modules.own_edits import OwnEdits, means
from rl_editor.modules.played_takes import PlayedTakes
from rl_editor.modules.ppo import PPOModule
from rl_editor.modules.show_edits import ShowConfig, ShowEdits
from rl_editor.modules.tasks import Origin, Task
from rl_editor.policies import edit_scorer_file, policy_file
from rl_editor.policies.edit_actor_critic import EditActorCritic
from rl_editor.policies.edit_judge import EditJudge
from rl_editor.policies.edit_scorer import EditScorer
from rl_editor.policies.edit_scorer_file import load_scorer
from rl_editor.policies.imitation import Imitated, imitated, request_of
from rl_editor.policies.late_judge import LateJudge
from rl_editor.policies.playing import recordings_of
from rl_editor.policies.policy_file import load_policy
from rl_editor.policies.rated_edits import RatedEdits, ratings_of
from rl_editor.policies.recordings import Heard
from rl_editor.policies.situation import Situation
from rl_editor.policies.situation_env import SituationEnv
from rl_editor.policies.taught import HeardTake
from rl_editor.rl.ppo import PPOConfig
from rl_editor.rl.rollout import Ended, Rollout, paid_late

NOBODY = "none"
"""Stands for no reward model."""
_SEED = 0  # of the requests that are drawn: the same in each run


_USUAL = PPOConfig()


@dataclass(frozen=True)
class EditPPOConfig:
    """What is trained to edit, and what it is paid for."""

    policy: str = ""
    """Policy to begin with: a run, a file or a shipped one; empty: that of the newest run of bc-warmup."""
    reward_model: str = ""
    """What scores finished edits: a run or a file; empty: the newest run of reward-model; `none`: nobody."""
    comparisons: tuple[str, ...] = ()
    """Files of people's comparisons: an edit that was rated there returns its rating, from -1 to 1."""
    reward: RewardConfig = field(default_factory=RewardConfig)
    """What the environment pays for; reward.learned weighs the reward model."""
    n_envs: int = 128
    """Edits under way at once."""
    temperature: float = 0.3
    """That the policy's logits are divided by in play."""
    train_encoder: bool = False
    """Also train what is found once a recording; it is then found anew for each minibatch."""
    drawn: int = 1
    """Requests drawn for each take, beside its true edit's length."""
    requests: InstanceConfig = field(default_factory=InstanceConfig)
    """Which are drawn."""
    threads: int = 1
    """Threads of one process on a CPU."""
    show: ShowConfig = field(default_factory=ShowConfig)
    """What is shown of its edits."""

    def __post_init__(self) -> None:
        if self.n_envs < 1 or self.drawn < 0 or not self.temperature > 0:
            raise RecipeError("n_envs must be at least 1, drawn not below 0, and temperature above 0")


class EditPPO(PPOModule):
    """A policy that learns by editing; all arithmetic is in `rl_editor.rl` and `rl_editor.policies`."""

    actor_critic: EditActorCritic

    def __init__(self, edit: EditPPOConfig = EditPPOConfig(), ppo: PPOConfig = _USUAL) -> None:
        """Read the policy and the reward model.

        Raises:
            CheckpointError: one of them can't be used.
            DataError: a file of comparisons can't be read.
        """
        loaded = load_policy(find(edit.policy, policy_file.NAME))
        actor_critic = EditActorCritic(loaded.policy, temperature=edit.temperature, train_encoder=edit.train_encoder)
        super().__init__(actor_critic, ppo, threads=edit.threads, val_steps=0)
        self.edit, self._size = edit, loaded.config
        loaded.policy.train()  # as Lightning expects of what is trained; it plays and learns without dropout
        # in a tuple, as it is none of the module's weights
        self._scorer: tuple[EditScorer, ...] = ()
        self._ratings = ratings_of(merged(*(read_comparisons(Path(file)) for file in edit.comparisons)))
        self._env: SituationEnv | None = None
        self._late: LateJudge | None = None
        self._scores = torch.zeros(0)
        if edit.reward_model != NOBODY:
            self._scorer = (load_scorer(find(edit.reward_model, edit_scorer_file.NAME)).scorer,)
        self._edits = OwnEdits(self, self._edited)

    def identity(self) -> dict[str, object]:
        """What its ratings are: the hash of each file."""
        files = self.edit.comparisons
        return {"rated": {file: file_hash(Path(file)) for file in files}} if files else {}

    def configure_callbacks(self) -> list[Callback]:
        """Its edits are shown, and the policy is left for use."""
        return [ShowEdits(self._edits, self.edit.show), ExportPolicy(self.actor_critic.policy, self._size, TASK.recipe)]

    def make_env(self) -> SituationEnv:
        """The takes of the train side, each with the length of its true edit and with drawn ones."""
        takes, edit = self._takes("train"), self.edit
        tracks = [take.track for take in takes]
        drawn = draw_requests(tracks, edit.drawn * len(takes), np.random.default_rng(_SEED), edit.requests)
        asked = [*((k, request_of(take)) for k, take in enumerate(takes)), *drawn]
        made = meetable_instances(tracks, asked, edit.reward, device=self.device)
        heard = [take.heard for take in takes]
        self.actor_critic.hear(recordings_of(made, heard).to(self.device))
        rated = RatedEdits(self._ratings, made) if self._ratings else None
        judge = self._judge_of(made, heard)
        self._late = None if judge is None else LateJudge(judge, rated)
        self._env = SituationEnv(BeatEditEnv(made, edit.n_envs, edit.reward, learned=self._late, rated=rated))
        return self._env

    def settled(self, rollout: Rollout[Situation], ended: Ended) -> tuple[Rollout[Situation], Ended]:
        """A rollout with the reward model's scores of the edits that ended, each at its END."""
        if self._late is None:
            return rollout, ended
        self._scores = self.edit.reward.learned * self._late.scores()
        return paid_late(rollout, ended, self._scores)

    def more_figures(self, rollout: Rollout[Any]) -> Mapping[str, float]:
        """What edits that ended were paid, by term, and which share of the actions is of each type."""
        assert self._env is not None
        paid, ended = self._env.account()
        told = {**paid, "learned": float(self._scores.sum())}
        *sums, count = self.averaged([*told.values(), float(ended)])
        terms = {f"reward/{name}": each / count for name, each in zip(told, sums, strict=True) if count}
        counts = self.averaged(torch.bincount(_types(rollout), minlength=len(ACTIONS)).tolist())
        shares = {f"actions/{name}": count / sum(counts) for name, count in zip(ACTIONS, counts, strict=True)}
        return {**terms, **shares}

    def judge(self, side: Split) -> Mapping[str, float]:
        """The policy's own edits, the likeliest action each time."""
        return means(self._edits(self._takes(side)))

    def _edited(self, takes: Sequence[HeardTake]) -> Sequence[Imitated]:
        return imitated(self.actor_critic.policy, takes, self.edit.reward, self._judge_of)

    def _judge_of(self, instances: Instances, heard: Sequence[Heard]) -> Judge | None:
        return EditJudge(self._scorer[0].to(self.device), instances, heard) if self._scorer else None

    def _takes(self, side: Split) -> list[HeardTake]:
        data = getattr(self.trainer, "datamodule", None)
        return data.takes.get(side, []) if isinstance(data, PlayedTakes) else []


def _types(rollout: Rollout[Situation]) -> Tensor:
    """Index into `ACTIONS` of each action, (T N,)."""
    action = rollout.action.flatten()
    kind = rollout.observation.kind.flatten(0, 1)
    landed = kind.gather(1, column_of(action).clamp(min=0)[:, None])[:, 0]
    return torch.where(action > END, 2 + landed, action)


TASK = Task(
    EditPPO,
    PlayedTakes,
    recipe="ppo",
    origins=(
        Origin("model.edit.policy", "bc", policy_file.FILE, "bc-warmup"),
        Origin("model.edit.reward_model", "reward", edit_scorer_file.FILE, "reward-model", NOBODY),
    ),
)
