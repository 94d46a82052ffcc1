"""A policy at work in the editing environment."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from rl_editor.arrays import IntArray
from rl_editor.envs.beat_edit.environment import BeatEditEnv, BeatObservation
from rl_editor.envs.beat_edit.instances import Instances
from rl_editor.envs.beat_edit.reward import TERMS
from rl_editor.policies.decision_head import Prepared
from rl_editor.policies.policy import Policy
from rl_editor.policies.recordings import Heard, Recordings, batched
from rl_editor.policies.situation import PLAYS, Situation
from rl_editor.rl.masked import sample

_SEAM = TERMS.index("seam")

TEMPERATURE = 0.6
"""At which edits are drawn: at 1 every other one has ten joins too many, at a quarter all are nearly the same."""


class PlayedEdit(NamedTuple):
    """One finished episode."""

    actions: IntArray
    """(T,), the last one END."""
    log_prob: float
    """Sum over its decisions."""
    seam_cost: float
    """Seconds of good music that its joins cost."""
    returned: float
    """Sum of what the environment paid."""


def recordings_of(instances: Instances, heard: Sequence[Heard]) -> Recordings:
    """One recording for each instance, with the length that is asked for.

    Args:
        instances: M instances.
        heard: their recordings, in the order of `instances.tracks`.
    """
    tracks = instances.track[instances.row].tolist()
    targets = instances.target.tolist()
    ratios = [target / instances.tracks[q].source.n_samples for q, target in zip(tracks, targets, strict=True)]
    return batched([heard[q] for q in tracks], ratios, [request.order == "free" for request in instances.requests])


def situation_of(env: BeatEditEnv, observation: BeatObservation, mask: Tensor) -> Situation:
    """Where the edits of an environment stand; recordings are numbered as its instances are."""
    landings = env.landings()
    plays = env.state.plays.gather(1, landings.beat.clamp(min=0)) / PLAYS
    return Situation(
        recording=observation.instance,
        playhead=observation.playhead,
        must_keep=observation.must_keep,
        scalars=observation.scalars,
        kind=landings.kind,
        plays=plays.clamp(max=1.0),
        mask=mask,
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Steps are so small that threads only wait for each other: on two of them an edit took seven times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@torch.inference_mode()
@_one_thread()
def play(
    policy: Policy,
    prepared: Prepared,
    env: BeatEditEnv,
    which: Tensor,
    generator: torch.Generator | None = None,
    temperature: float = TEMPERATURE,
) -> list[PlayedEdit]:
    """One whole episode of each of the instances `which` (N,), N being the environment's.

    Args:
        policy: in the mode it shall play in.
        prepared: recordings of the environment's instances.
        env: any state.
        which: instances.
        generator: for drawing actions; None always takes the likeliest.
        temperature: that actions are drawn at.
    """
    observation, mask = env.start(which)
    done = torch.zeros_like(which, dtype=torch.bool)
    log_prob = torch.zeros_like(which, dtype=torch.float32)
    actions: list[Tensor] = []
    seam_cost = torch.zeros_like(which, dtype=torch.float64)
    returned = torch.zeros_like(log_prob)
    lengths = torch.zeros_like(which)
    while not bool(done.all()):
        log_probs = policy.log_probs(prepared, situation_of(env, observation, mask), temperature)
        action = log_probs.argmax(dim=1) if generator is None else sample(log_probs, generator)
        log_prob += torch.where(done, 0.0, log_probs.gather(1, action[:, None])[:, 0])
        lengths += ~done
        actions.append(action)
        after = env.step(action)
        observation, mask = after.observation, after.mask
        returned += torch.where(done, 0.0, after.reward)
        seam_cost = torch.where(after.done & ~done, -env.last_terms[:, _SEAM], seam_cost)
        done = done | after.done
    every = torch.stack(actions, dim=1).cpu().numpy()
    return [
        PlayedEdit(*each)
        for each in zip(
            (own[:n] for own, n in zip(every, lengths.tolist(), strict=True)),
            log_prob.tolist(),
            seam_cost.tolist(),
            returned.tolist(),
            strict=True,
        )
    ]
