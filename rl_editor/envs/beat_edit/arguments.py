"""What may be asked of the facades: their arguments, seeds and options, refused in words of who asks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import IntArray
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.instances import InstanceConfig
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.errors import EnvError

RENDER_MODES = ["rgb_array", "ansi"]
_OPTIONS = {"instance"}


def check_kinds(
    render_mode: object, tracks: object, requests: object, config: object, instances: object, recordings: object
) -> None:
    """Check that the arguments of an environment are of the kinds they should be.

    Raises:
        EnvError: one is not.
    """
    if render_mode is not None and render_mode not in RENDER_MODES:
        raise EnvError(f"render_mode {render_mode!r}: must be {' or '.join(RENDER_MODES)}, or None")
    for name, given, kind in (("tracks", tracks, Track), ("requests", requests, EditRequest)):
        if isinstance(given, kind):
            raise EnvError(f"{name}: must be a list, [{kind.__name__}, ...], also of one")
        if given is not None and not (isinstance(given, Sequence) and all(isinstance(each, kind) for each in given)):
            raise EnvError(f"{name}: must be a list of {kind.__name__}s, not {type(given).__name__}")
    if isinstance(recordings, str | Path):
        raise EnvError("recordings: must be a list of files, [file, ...], also of one")
    for name, one, wanted in (("config", config, RewardConfig), ("instances", instances, InstanceConfig)):
        if one is not None and not isinstance(one, wanted):
            raise EnvError(f"{name} {one!r}: must be {wanted.__name__}(...)")


def checked_seed(seed: object) -> int | None:
    """A seed as Gymnasium takes it.

    Raises:
        EnvError: it is no whole number from 0 on, nor None.
    """
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise EnvError(f"seed {seed!r}: must be a whole number, 0 or more")
    return int(seed)


def instances_of(options: Mapping[str, Any] | None, n_envs: int, n_instances: int) -> IntArray:
    """The instances (N,) that options for `reset` ask for, -1 where they say nothing.

    Args:
        options: `{"instance": k}`, k being a number or one for each of N environments.
        n_envs: N.
        n_instances: how many there are.

    Raises:
        EnvError: there is no such instance, or an option is not known.
    """
    unknown = sorted(set(options or ()) - _OPTIONS)
    if unknown:
        raise EnvError(f"option {unknown[0]!r}: is not known; {sorted(_OPTIONS)[0]!r} is")
    if not options or "instance" not in options:
        return np.full(n_envs, -1)
    wanted = np.asarray(options["instance"])
    if not np.issubdtype(wanted.dtype, np.integer) or wanted.shape not in ((), (n_envs,)):
        raise EnvError(f"instance {options['instance']!r}: must be a number, or one for each of {n_envs}")
    if (wanted < 0).any() or (wanted >= n_instances).any():
        raise EnvError(f"instance {options['instance']!r}: must be from 0 to {n_instances - 1}")
    return np.broadcast_to(wanted, (n_envs,)).astype(np.int64)
