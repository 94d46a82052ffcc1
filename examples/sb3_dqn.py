"""Train Stable-Baselines3's DQN on sample songs; it knows no masks, so its illegal actions are replaced.

pip install 'rl-editor[sb3]'
python examples/sb3_dqn.py --steps 20000
"""

import argparse

import gymnasium
from stable_baselines3 import DQN
from stable_baselines3.common.monitor import Monitor

import rl_editor  # noqa: F401  # registers the environment


def main() -> None:
    """Train for so many steps, then edit once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    env = Monitor(gymnasium.make("rl_editor/BeatEdit-v0", render_mode="ansi"))
    model = DQN(
        "MultiInputPolicy",
        env,
        buffer_size=5_000,  # an observation has 20 kB
        learning_starts=min(1_000, args.steps // 2),
        exploration_final_eps=0.05,
        policy_kwargs={"net_arch": [256, 256]},
        seed=args.seed,
        verbose=1,
    )
    model.learn(args.steps)

    observation, info = env.reset(seed=args.seed)
    returned, terminated = 0.0, False
    while not terminated:
        action, _ = model.predict(observation, deterministic=True)
        observation, reward, terminated, _, info = env.step(action)
        returned += float(reward)
    print(f"return {returned:.2f} with {info['illegal']} illegal actions; the best window of its length is 0")
    print(env.render())


if __name__ == "__main__":
    main()
