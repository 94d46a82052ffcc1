"""Train sb3-contrib's MaskablePPO on sample songs, several edits at a time in one batch.

pip install 'rl-editor[sb3]'
python examples/sb3_maskable_ppo.py --steps 50000
"""

import argparse

import gymnasium
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import VecMonitor

from rl_editor.envs.beat_edit.sb3_env import BeatEditVecEnv


def main() -> None:
    """Train for so many steps, then edit once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--envs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    model = MaskablePPO(
        "MultiInputPolicy",
        VecMonitor(BeatEditVecEnv(args.envs)),
        n_steps=max(8, min(256, args.steps // args.envs)),
        batch_size=64,
        policy_kwargs={"net_arch": [256, 256]},
        seed=args.seed,
        verbose=1,
    )
    model.learn(args.steps)

    env = gymnasium.make("rl_editor/BeatEdit-v0", render_mode="ansi")
    observation, info = env.reset(seed=args.seed)
    returned, terminated = 0.0, False
    while not terminated:
        action, _ = model.predict(observation, action_masks=info["mask"], deterministic=True)
        observation, reward, terminated, _, info = env.step(action)
        returned += float(reward)
    print(f"return {returned:.2f}; the best window of its length is 0")
    print(env.render())


if __name__ == "__main__":
    main()
