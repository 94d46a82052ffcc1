"""What PPO trains to edit: its decisions are the policy's, its critic is its own, and it finds the best edit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rl_editor.analysis.track import Track
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.environment import BeatEditEnv, Finished, Judge
from rl_editor.envs.beat_edit.instances import Instances, make_instances
from rl_editor.envs.beat_edit.reward import TERMS, RewardConfig
from rl_editor.policies.edit_actor_critic import EditActorCritic
from rl_editor.policies.late_judge import LateJudge
from rl_editor.policies.playing import recordings_of
from rl_editor.policies.policy import Policy
from rl_editor.policies.situation import Situation
from rl_editor.policies.situation_env import SituationEnv
from rl_editor.policies.taught import LearntTake
from rl_editor.rl.actor_critic import ActorCritic, MlpActorCritic
from rl_editor.rl.ppo import PPOConfig, Update, decisions_of, update
from rl_editor.rl.rollout import Ended, Player, Rollout, best_play, paid_late
from rl_editor.rl.value_scale import ValueScale

Make = Callable[..., Track]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def made(take: LearntTake) -> Instances:
    """Two lengths of one recording."""
    asked = [(0, EditRequest(keep=keep, order="free")) for keep in (0.3, 0.6)]
    return make_instances([take.track], asked, RewardConfig())


def actor_of(policy: Policy, made: Instances, take: LearntTake, *, train_encoder: bool = False) -> EditActorCritic:
    actor = EditActorCritic(policy, temperature=0.5, train_encoder=train_encoder)
    actor.hear(recordings_of(made, [take.heard]))
    return actor


def learned(actor: ActorCritic[Any], env: SituationEnv, config: PPOConfig, ticks: int) -> list[Update]:
    """What came of so many ticks."""
    player, scale = Player(env, torch.Generator().manual_seed(1)), ValueScale()
    player.begin(1)
    optimiser = torch.optim.Adam([weight for weight in actor.parameters() if weight.requires_grad], lr=config.lr)

    def step() -> None:
        optimiser.step()
        optimiser.zero_grad()

    def backward(loss: torch.Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]

    done = []
    for tick in range(ticks):
        rollout, _ = player.collect(actor, config.n_steps)
        decisions, _ = decisions_of(actor, rollout, scale, config, lambda each: each)
        done.append(
            update(
                actor,
                decisions,
                config,
                kl_weight=0.0,
                critic_only=tick < config.critic_warmup,
                generator=player.generator,
                backward=backward,
                step=step,
                average=lambda each: each,
            )
        )
    return done


def weights_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in module.named_parameters()}


def moved(module: torch.nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, weight in module.named_parameters() if not torch.equal(weight, before[name])}


@pytest.mark.parametrize("train_encoder", [False, True])
def test_what_is_learned_first_is_what_was_played(
    policy: Policy, made: Instances, take: LearntTake, train_encoder: bool
) -> None:
    actor = actor_of(policy, made, take, train_encoder=train_encoder)
    before = weights_of(policy)
    (first, *_) = learned(actor, SituationEnv(BeatEditEnv(made, 4)), PPOConfig(n_steps=16), 2)
    assert float(first.first_ratio) < 1e-4
    frozen = {name for name, weight in policy.named_parameters() if not weight.requires_grad}
    assert bool(frozen) != train_encoder
    assert moved(policy, before)
    assert not moved(policy, before) & frozen
    assert train_encoder == any(name.startswith("encoder.") for name in moved(policy, before))


def test_the_critic_learns_alone_while_it_warms_up(policy: Policy, made: Instances, take: LearntTake) -> None:
    actor = actor_of(policy, made, take, train_encoder=True)
    before, critic = weights_of(policy), weights_of(actor.critic)
    learned(actor, SituationEnv(BeatEditEnv(made, 4)), PPOConfig(n_steps=16, critic_warmup=1), 1)
    assert not moved(policy, before)
    assert moved(actor.critic, critic) == set(critic)


def test_a_copy_stays_what_it_was(policy: Policy, made: Instances, take: LearntTake) -> None:
    actor = actor_of(policy, made, take)
    situation, mask = SituationEnv(BeatEditEnv(made, 4)).reset(0)
    before = [each.detach() for each in actor.eval()(actor.prepare(), situation, mask)]
    actor.hear(recordings_of(made, [take.heard]))
    own = actor.untrained_copy()
    assert own.prepare() is actor.prepare()  # held once
    learned(actor, SituationEnv(BeatEditEnv(made, 4)), PPOConfig(n_steps=16), 2)
    after = own(own.prepare(), situation, mask)
    assert all(torch.equal(*pair) for pair in zip(after, before, strict=True))
    assert not torch.equal(actor(actor.prepare(), situation, mask)[1], before[1])


def test_the_account_adds_up_to_what_was_paid(made: Instances) -> None:
    env = SituationEnv(BeatEditEnv(made, 3, RewardConfig(window_baseline=False, rules=0.5)))
    _, mask = env.reset(3)
    paid, generator = 0.0, torch.Generator().manual_seed(0)
    running, ended = np.zeros(3), 0
    while ended < 5:
        after = env.step(torch.multinomial(mask.float(), 1, generator=generator)[:, 0])
        running += after.reward.numpy()
        done = after.done.numpy()
        paid, ended, mask = paid + float(running[done].sum()), ended + int(done.sum()), after.mask
        running[done] = 0.0
    told, count = env.account()
    assert count == ended
    assert set(told) == set(TERMS)
    assert sum(told.values()) == pytest.approx(paid, rel=1e-4)
    assert env.account() == (dict.fromkeys(TERMS, 0.0), 0)


def test_a_late_judge_pays_what_one_at_once_would(policy: Policy, made: Instances, take: LearntTake) -> None:
    def judge(edits: Finished) -> torch.Tensor:
        return edits.instance + (edits.actions >= 0).sum(dim=1) / 100.0

    config, actor = RewardConfig(learned=2.0), actor_of(policy, made, take)
    late = LateJudge(judge)

    def played(learned: Judge) -> tuple[Rollout[Situation], Ended]:
        player = Player(SituationEnv(BeatEditEnv(made, 3, config, learned=learned)), torch.Generator().manual_seed(4))
        player.begin(2)
        return player.collect(actor, 150)

    expected, ended = played(judge)
    found, ended_late = played(late)
    scores = config.learned * late.scores()
    assert len(scores) > 3
    paid, ended_late = paid_late(found, ended_late, scores)
    torch.testing.assert_close(paid.reward, expected.reward)
    torch.testing.assert_close(ended_late.returned, ended.returned)
    nothing = late.scores()
    assert len(nothing) == 0
    unpaid = found._replace(terminated=torch.zeros_like(found.terminated))
    assert torch.equal(paid_late(unpaid, Ended(torch.zeros(0), torch.zeros(0).long()), nothing)[0].reward, found.reward)


def test_what_people_rated_is_not_scored_besides() -> None:
    late = LateJudge(lambda edits: edits.instance + 1.0, lambda edits: torch.where(edits.instance == 1, 0.5, torch.nan))
    for instance, length in ((0, 2), (1, 5), (2, 3)):
        assert late(Finished(torch.tensor([instance]), torch.zeros(1, length, dtype=torch.int64))).isnan().all()
    assert late.scores().tolist() == [1.0, 0.0, 3.0]


def best_return(env: BeatEditEnv, started: float = 0.0) -> float:
    """The greatest return of all edits, by trying all of them."""
    best, here = -np.inf, env.state_dict()
    for action in env.mask[0].nonzero()[:, 0].tolist():
        env.load_state_dict(here)
        after = env.step(torch.tensor([action]))
        so_far = started + float(after.reward)
        best = max(best, so_far if bool(after.done) else best_return(env, so_far))
    return best


@pytest.mark.parametrize("seed", [1, 2])
def test_ppo_finds_the_best_of_all_edits(make_track: Make, seed: int) -> None:
    track = make_track(np.random.default_rng(seed), 12, share=0.08)
    made = make_instances([track], [(0, EditRequest(keep=0.5, slack_s=0.3))], RewardConfig())
    best = best_return(BeatEditEnv(made, 1))
    torch.manual_seed(0)
    env = SituationEnv(BeatEditEnv(made, 64))
    actor = MlpActorCritic(env.reset(0)[0], env.n_actions)
    first = float(best_play(actor, SituationEnv(BeatEditEnv(made, 1)), seed=0, n_steps=100).max())
    learned(actor, env, PPOConfig(n_steps=32, lr=3e-3, gamma=1.0, kl_stop=0.0), 30)
    found = float(best_play(actor, SituationEnv(BeatEditEnv(made, 1)), seed=0, n_steps=100).max())
    assert first < best - 1e-3
    assert found == pytest.approx(best, abs=1e-5)
