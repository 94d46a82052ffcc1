"""Edit sample songs by chance: legal actions until an edit is finished, then the next one.

python examples/gymnasium_random.py --steps 500
"""

import argparse

import gymnasium
import numpy as np

import rl_editor  # noqa: F401  # registers the environment


def main() -> None:
    """Play so many steps, and show each edit that is finished."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    env = gymnasium.make("rl_editor/BeatEdit-v0", render_mode="ansi")
    rng = np.random.default_rng(args.seed)
    _, info = env.reset(seed=args.seed)
    returned, edits = 0.0, 0
    for _ in range(args.steps):
        action = rng.choice(np.flatnonzero(info["mask"]))
        _, reward, terminated, _, info = env.step(action)
        returned += float(reward)
        if terminated:
            edits += 1
            print(f"edit {edits}: return {returned:.2f}; the best window of its length is 0\n{env.render()}")
            _, info = env.reset()
            returned = 0.0
    print(f"{args.steps} steps, {edits} finished edits")
    env.close()


if __name__ == "__main__":
    main()
