"""How fast PPO of the shipped policy is, in the configuration that ships: play, learning, encoding.

    python benchmarks/ppo_policy_speed.py --prepared DIR [--reward RUN] [--takes 24] [--threads 1] [--ticks 4]

`DIR` is a prepared set. With a reward model finished edits are scored too. Rates are decisions a processor second of
this process, which other work on the machine does not change much; `--trainer.devices 2` trains in two processes.
"""

import argparse
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import torch
import yaml
from report import publish

from rl_editor.checkpoints import shipped_folder
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.modules.edit_ppo import NOBODY, EditPPO, EditPPOConfig
from rl_editor.modules.played_takes import PlayedTakes, PlayedTakesConfig
from rl_editor.rl.ppo import PPOConfig, decisions_of, log_probs_of, update
from rl_editor.rl.rollout import Player


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", required=True)
    parser.add_argument("--reward", default=NOBODY)
    parser.add_argument("--takes", type=int, default=24)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ticks", type=int, default=4)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    recipe = yaml.safe_load((shipped_folder("configs") / "ppo.yaml").read_text(encoding="utf-8"))["model"]
    config = PPOConfig(**recipe["ppo"])
    edit = EditPPOConfig(policy="policy", reward_model=args.reward, reward=RewardConfig(**recipe["edit"]["reward"]))
    module = EditPPO(edit, config)
    data = PlayedTakes(PlayedTakesConfig(folder=args.prepared, takes=args.takes, judged=1, jobs=1))
    data.setup("fit")
    with patch.object(EditPPO, "trainer", SimpleNamespace(datamodule=data)):
        env = module.make_env()
    begun = time.process_time()
    module.actor_critic.prepare()
    encoding_s = time.process_time() - begun
    play_s, learn_s, decisions = timed(module, Player(env, torch.Generator().manual_seed(0)), args.ticks)
    envs = f"{edit.n_envs} x {config.n_steps}, {config.epochs} x {edit.n_envs * config.n_steps // config.minibatches}"
    row = [
        envs,
        "no" if args.reward == NOBODY else "yes",
        f"{decisions / (play_s + learn_s):,.0f}",
        f"{decisions / play_s:,.0f}",
        f"{decisions / learn_s:,.0f}",
        f"{play_s / (play_s + learn_s):.0%}",
        f"{encoding_s:.1f}",
    ]
    publish(
        Path(__file__).stem,
        f"PPO of the shipped policy: decisions a processor second, {args.threads} thread(s)",
        ("environments x steps, epochs x minibatch", "reward model", "play and learning", "play alone",
         "learning alone", "share of play", "encoding, s, once a run"),
        [row],
        f"{args.takes} takes, {len(data.takes['train'])} of a length that can be met, each with its true edit's length "
        f"and a drawn one; {args.ticks} rollouts after one that was not timed.",
    )  # fmt: skip


def timed(module: EditPPO, player: Player, ticks: int) -> tuple[float, float, int]:  # type: ignore[type-arg]
    """Processor seconds of play and of learning, and how many decisions there were."""
    actor, config, scale = module.actor_critic, module.config, module.value_scale
    optimiser = torch.optim.Adam([weight for weight in actor.parameters() if weight.requires_grad], lr=config.lr)
    reference, player_s, learning_s, decisions = actor.untrained_copy(), 0.0, 0.0, 0
    player.begin(0)

    def step() -> None:
        torch.nn.utils.clip_grad_norm_(actor.parameters(), config.clip_norm)
        optimiser.step()
        optimiser.zero_grad()

    for tick in range(ticks + 1):
        begun = time.process_time()
        rollout, _ = module.settled(*player.collect(actor, config.n_steps))
        played = time.process_time()
        taught, _ = decisions_of(actor, rollout, scale, config, lambda each: each)
        update(
            actor,
            taught._replace(reference=log_probs_of(reference, taught)),
            config,
            kl_weight=config.kl_weight,
            critic_only=False,
            generator=player.generator,
            backward=lambda loss: loss.backward(),
            step=step,
            average=lambda each: each,
        )
        if tick:
            player_s, learning_s = player_s + played - begun, learning_s + time.process_time() - played
            decisions += rollout.action.numel()
    return player_s, learning_s, decisions


if __name__ == "__main__":
    main()
