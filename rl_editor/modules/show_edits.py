"""What a run shows of its edits while it learns: decisions, pictures, sounds, and what the ruler says of them."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.seed import isolate_rng

from rl_editor.analysis.spectra import RATE
from rl_editor.arrays import Array
from rl_editor.audio.files import read_audio
from rl_editor.data.prepared import edl_file
from rl_editor.data.splits import spread
from rl_editor.edits import edl as edls
from rl_editor.edits.edl import EDL
from rl_editor.edits.render import render
from rl_editor.edits.ruler.evaluate import hear_raw, judge
from rl_editor.edits.ruler.raw import Raw
from rl_editor.edits.ruler.source_map import known_map
from rl_editor.edits.ruler.verdict import Verdict
from rl_editor.errors import AudioError
from rl_editor.modules.edit_views import ACTIONS, FADES, Decisions, decisions_of, picture, shares, sound, together
from rl_editor.modules.prepared_takes import PreparedTakes
from rl_editor.policies.imitation import Imitated
from rl_editor.policies.taught import HeardTake

_TRUE = "true"


@dataclass(frozen=True)
class ShowConfig:
    """What is shown of edits at each validation."""

    takes: int = 2
    """Validation takes that are seen, heard and judged by the ruler, always the same; 0: none."""


class ShowEdits(Callback):
    """Shows the edits of validation takes: to all loggers in figures, in TensorBoard to be seen and heard.

    At the first validation of a run the true edits are shown once too. All of it is done by the first process, and the
    run's random numbers stay as they are.

        val/ruler               the ruler's verdict on the shown takes, from sound alone; val/ruler/NAME: its components
        val/actions, val/fades  histograms of `edit_views.ACTIONS` and `FADES` of all takes; .../NAME: shares in figures
        edits/KEY/val           picture of the edit of a shown take
        sounds/KEY/val          its sound
        true/..., .../true      the same of the true edits

    Args:
        edits: the edits that takes are given now, in their order.
        config: what is shown.
    """

    def __init__(self, edits: Callable[[Sequence[HeardTake]], Sequence[Imitated]], config: ShowConfig) -> None:
        self._edits, self._config = edits, config
        self._raws: dict[str, Raw] = {}
        self._complained = False
        self._validations = 0

    def state_dict(self) -> dict[str, Any]:
        """How many validations the run has behind it."""
        return {"validations": self._validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after them."""
        self._validations = state_dict["validations"]

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the edits of now."""
        data = getattr(trainer, "datamodule", None)
        if trainer.sanity_checking or not isinstance(data, PreparedTakes) or not data.takes.get("val"):
            return
        if trainer.is_global_zero:
            with isolate_rng():
                self._show(trainer, pl_module, data)
        self._validations += 1

    def _show(self, trainer: Trainer, pl_module: LightningModule, data: PreparedTakes[HeardTake]) -> None:
        screen, takes = _Screen(trainer, pl_module), data.takes["val"]
        shown = [takes[k] for k in spread([take.song for take in takes], self._config.takes)]
        edited = takes if trainer.loggers else shown
        edits = {take.key: made.edl for take, made in zip(edited, self._edits(edited), strict=True)}
        ruled = self._show_side(screen, "val", edits, edited, shown)
        if ruled:  # the mean also goes where checkpoints and the command line look for metrics
            pl_module.log("val/ruler", ruled["ruler"], batch_size=len(shown), rank_zero_only=True, logger=False)
        screen.figures("val", ruled)
        if self._validations == 0 and trainer.loggers:
            folder = Path(data.folder)
            true = {take.key: _true_edit(folder, take) for take in takes}
            screen.figures(_TRUE, self._show_side(screen, _TRUE, true, takes, shown))

    def _show_side(
        self, screen: "_Screen", side: str, edits: dict[str, EDL], takes: list[HeardTake], shown: list[HeardTake]
    ) -> dict[str, float]:
        """Show what one side decides in all takes, and its edits of the shown ones; what the ruler says of these."""
        if takes:
            screen.decisions(side, [decisions_of(edits[take.key], take.track) for take in takes])
        return _mean([self._show_edit(screen, take, edits[take.key], side) for take in shown])

    def _show_edit(self, screen: "_Screen", take: HeardTake, edl: EDL, side: str) -> Verdict | None:
        """One edit seen, heard and judged; without its recording only seen, as an outline."""
        audio = self._recorded(take)
        if audio is None:
            still, song = (np.zeros((1, n), dtype=np.float32) for n in (take.track.source.n_samples, edl.n_samples))
            screen.picture(f"edits/{take.key}/{side}", edl, take, still, song)
            return None
        song = render(audio, edl)
        screen.picture(f"edits/{take.key}/{side}", edl, take, audio, song)
        screen.sound(f"sounds/{take.key}/{side}", edl, song)
        if take.key not in self._raws:
            self._raws[take.key] = hear_raw(audio, take.track)
        rate = take.track.source.sample_rate
        return judge(self._raws[take.key], song, rate, known_map(edl), target_s=take.target_s)

    def _recorded(self, take: HeardTake) -> Array | None:
        """The raw's sound; None, and a note for the first of them, where it is not what was prepared."""
        wanted = take.track.source
        try:
            recording = read_audio(Path(wanted.file))
            if recording.source == wanted:
                return recording.audio
            why = f"{wanted.file}: not the recording that was prepared"
        except AudioError as error:
            why = str(error)
        if not self._complained:
            sys.stderr.write(f"rl-editor: note: {why}; edits of it are not heard\n")
            self._complained = True
        return None


class _Screen:
    """The loggers of a run at one step of it."""

    def __init__(self, trainer: Trainer, module: LightningModule) -> None:
        self._loggers = trainer.loggers
        boards = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        self._board: Any = boards[0].experiment if boards else None
        # over steps in the environment, where there is one, else where Lightning logs the validation's metrics
        self._step: int = getattr(module, "env_steps", trainer.fit_loop.epoch_loop._batches_that_stepped)

    def figures(self, group: str, figures: dict[str, float]) -> None:
        """Figures for all loggers."""
        if figures:
            for logger in self._loggers:
                logger.log_metrics({f"{group}/{name}": value for name, value in figures.items()}, self._step)

    def decisions(self, group: str, decisions: list[Decisions]) -> None:
        """What edits decide, in figures and as histograms."""
        all_of_them = together(decisions)
        self.figures(group, dict(shares(all_of_them)))
        if self._board is None:
            return
        for name, names, which in (("actions", ACTIONS, all_of_them.actions), ("fades", FADES, all_of_them.fades)):
            if len(which):
                edges = np.arange(len(names) + 1) - 0.5
                self._board.add_histogram(f"{group}/{name}", which, self._step, bins=edges)

    def picture(self, tag: str, edl: EDL, take: HeardTake, audio: Array, song: Array) -> None:
        """The picture of an edit."""
        if self._board is not None:
            self._board.add_image(tag, picture(edl, take.track, audio, song), self._step, dataformats="HWC")

    def sound(self, tag: str, edl: EDL, song: Array) -> None:
        """What is heard of an edit."""
        if self._board is not None:
            self._board.add_audio(tag, torch.as_tensor(sound(edl, song))[None], self._step, sample_rate=RATE)


def _true_edit(folder: Path, take: HeardTake) -> EDL:
    edl = edls.read(edl_file(folder, take.key))
    return replace(edl, source=take.track.source)  # the name of its file, for the picture


def _mean(verdicts: Sequence[Verdict | None]) -> dict[str, float]:
    """Means over what could be judged: `ruler`, and `ruler/NAME` of each component; empty where nothing could be."""
    judged = [verdict for verdict in verdicts if verdict is not None]
    if not judged:
        return {}
    scores: dict[str, list[float]] = {}
    for verdict in judged:
        for each in verdict.components:
            if each.score is not None:
                scores.setdefault(f"ruler/{each.name}", []).append(each.score)
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    return {"ruler": float(np.mean([verdict.alone for verdict in judged])), **means}
