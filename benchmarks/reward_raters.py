"""Does a reward model learn what listeners like? Simulated ones, whose taste is known.

    python benchmarks/reward_raters.py --prepared training_data/prepared --work DIR [--raws DIR] [--takes N]

Each take gets a pool of edits: the true one, editors', and some with planted faults. Three raters have hidden
utilities: half of the variance is a random taste in the reward's terms, which follow from Track and edit; the other
half one in the ruler's joins, phrases, start and ending, measured on the rendered sound, of which the model is given
nothing. They answer with logistic noise, so that even who knows a utility is right in 85 to 90 % of the answers, which
is told beside the model's accuracy as the ceiling. 2,000 answers on pairs of the train and val songs go through the
file format to `reward-model`, which has met planted faults before; it is judged on the test songs. All files stay in
DIR; what is there is not made again.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from raters import Ear, Perceived, Pool, answers, hidden_utility
from report import publish
from scipy.signal import butter, sosfilt

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, DoubleArray
from rl_editor.audio.files import read_audio, write_audio
from rl_editor.data.comparisons import Comparison, edl_hash, write_comparisons
from rl_editor.data.prepared import SUBFOLDERS, PreparedSet, PreparedTake, read_prepared, write_manifest
from rl_editor.edits import edl as edls
from rl_editor.edits.edl import EDL
from rl_editor.edits.faults import FAULTS
from rl_editor.edits.registry import load_editor
from rl_editor.edits.request import EditRequest
from rl_editor.errors import EditorError, EDLError
from rl_editor.policies.described_edits import put_together
from rl_editor.policies.edit_description import describe_edit
from rl_editor.policies.edit_scorer import EditScorer
from rl_editor.policies.edit_scorer_file import FILE, load_scorer
from rl_editor.policies.ground import Ground

EDITORS = ("planner", "window", "loudest", "random")
FAULTY = 5
"""Edits of each pool that have a planted fault."""
RATERS = 3
ANSWERS = 2000
HELD_OUT = (("mid-phrase cut", "dead time kept"), ("lost ending", "repeat overdone"))
"""Families of faults, two of which a model never meets, and is then judged on."""
PRETRAINED, REFITTED = 4, 6
"""Epochs over all takes of the prepared set, and over those with pools."""
REFIT = ("--init_from", "pretrained", "--model.modelling.lr", 1e-3, "--trainer.accumulate_grad_batches", 1)
"""How a model that has met planted faults goes on to answers."""
_PROCESSED = 6  # takes whose recordings are heard again after a change
_SLACK_S = 2.0


def pool_of(take: PreparedTake, raws: Path, seed: int) -> Pool:
    """A take's pool, judged from its terms and from its sound."""
    edits = _edits(take, np.random.default_rng(seed))
    assert take.entry.measured is not None
    perceived = Ear(raws / take.entry.measured.raw, take.track).perceived(edits)
    return Pool(take.entry, tuple(edits), perceived.visible, perceived.heard)


def _edits(take: PreparedTake, rng: np.random.Generator) -> list[EDL]:
    true = replace(take.edl, target_s=take.edl.duration_s)
    request = EditRequest(target_s=true.target_s, slack_s=_SLACK_S, seed=int(rng.integers(2**31)))
    edits = [true]
    for name in EDITORS:
        try:
            edits.append(load_editor(name).edit(take.track, request)[0])
        except EditorError:
            continue
    bases, tries = len(edits), 0
    while len(edits) < bases + FAULTY and tries < 20 * FAULTY:
        tries += 1
        fault, base = FAULTS[int(rng.integers(len(FAULTS)))], edits[int(rng.integers(bases))]
        try:
            faulty = fault.planted(base, take.track, float(rng.choice(fault.grades)), rng)
        except EDLError:
            continue
        if faulty is not None:
            edits.append(faulty)
    unique = {edl_hash(edl): edl for edl in edits}
    return list(unique.values())


def pools_of(prepared: PreparedSet, raws: Path, folder: Path) -> list[Pool]:
    """The pools of all takes; those made before are read."""
    pools = []
    for number, entry in enumerate(prepared.entries):
        own = folder / entry.key
        known = own / "measured.npz"
        if not known.exists():
            made = pool_of(prepared.load(entry), raws, number)
            for k, edl in enumerate(made.edits):
                edls.write(edl, own / f"{k}.json", overwrite=True)
            np.savez(known, visible=made.visible, heard=made.heard)
        with np.load(known) as arrays:
            edits = tuple(edls.read(own / f"{k}.json") for k in range(len(arrays["visible"])))
            pools.append(Pool(entry, edits, arrays["visible"], arrays["heard"]))
    return pools


def ceiling(told: Sequence[Comparison], pools: Sequence[Pool], worth: Sequence[DoubleArray]) -> float:
    """Share of answers but ties that who knows the utility foretells."""
    value = {
        edl_hash(edl): u for pool, own in zip(pools, worth, strict=True) for edl, u in zip(pool.edits, own, strict=True)
    }
    right = [
        (value[each.edl_a] > value[each.edl_b]) == (each.answer == "A") for each in told if each.answer in ("A", "B")
    ]
    return float(np.mean(right))


def rl_editor(work: Path, *arguments: object) -> str:
    """What one command printed, run in the working directory."""
    command = [sys.executable, "-m", "rl_editor", *map(str, arguments)]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def fitted(work: Path, name: str, prepared: Path, epochs: int, *settings: object) -> dict[str, float]:
    """Figures on the test songs of a prepared set of a run, which is made unless it is there."""
    figures = work / f"{name}.json"
    if not figures.exists():
        length = ("--trainer.max_epochs", epochs, "--model.modelling.epochs", epochs)
        often = ("--trainer.check_val_every_n_epoch", max(epochs // 2, 1), "--trainer.accelerator", "cpu")
        folder = ("--data.pairs.folder", prepared, "--data.pairs.jobs", 1)
        shutil.rmtree(work / "runs" / name, ignore_errors=True)  # a run that did not come to its end
        rl_editor(work, "reward-model", "--name", name, "--quiet", *folder, *length, *often, *settings)
        unlearned = ("--data.pairs.without", "[]")
        figures.write_text(rl_editor(work, "test", "--checkpoint", f"runs/{name}", "--quiet", "--json", *unlearned))
    told: dict[str, float] = json.loads(figures.read_text())
    return told


def rater_rows(work: Path, pools: Sequence[Pool]) -> Iterator[list[str]]:
    """A line for each rater and each of its utilities."""
    known = [pool for pool in pools if pool.entry.split != "test"]
    unseen = [pool for pool in pools if pool.entry.split == "test"]
    for rater in range(RATERS):
        for whole in (False, True):
            utility = hidden_utility(pools, rater, whole=whole)
            name = f"rater_{rater}_{'all' if whole else 'visible'}"
            of = [[utility.of(Perceived(p.visible, p.heard), p) for p in side] for side in (known, unseen)]
            told = list(answers(known, of[0], f"rater {rater}", ANSWERS, np.random.default_rng((rater, 2, ANSWERS))))
            test = list(answers(unseen, of[1], f"rater {rater}", None, np.random.default_rng((rater, 2, 0))))
            file = work / "pools" / f"{name}.jsonl"
            write_comparisons(file, [*told, *test], overwrite=True)
            found = fitted(work, name, work / "prepared", REFITTED, "--comparisons", file.relative_to(work), *REFIT)
            best, right = ceiling(test, unseen, of[1]), found["test/accuracy/people"]
            figures = (best, right, best - right, found["test/calibration_error"], found["test/length_correlation"])
            yield [str(rater + 1), "all" if whole else "visible half", *(f"{value:.3f}" for value in figures)]


def held_out_text(work: Path, prepared: Path) -> str:
    """How families of faults are told apart that were never met."""
    lines = []
    for number, families in enumerate(HELD_OUT):
        found = fitted(work, f"without_{number}", prepared, PRETRAINED, "--data.pairs.without", json.dumps(families))
        lines += [f"{family} {found['test/accuracy/' + family.replace(' ', '_')]:.2f}" for family in families]
    return "Pairwise accuracy on families of faults never met, two left out at a time: " + ", ".join(lines) + "."


def invariance_text(work: Path, pools: Sequence[Pool], raws: Path) -> str:
    """By how much scores move when the recording is heard again after a change, over their spread."""
    scorer = load_scorer(work / "runs/pretrained" / FILE).scorer
    chosen = [pool for pool in pools if pool.entry.split == "test"][:_PROCESSED]
    moved: dict[str, list[DoubleArray]] = {name: [] for name in CHANGES}
    spreads = []
    for pool in chosen:
        assert pool.entry.measured is not None
        recording = read_audio(raws / pool.entry.measured.raw)
        rate = recording.sample_rate
        before = _scores(scorer, analyse(recording.audio, rate), pool.edits)
        spreads.append(before.std())
        for name, change in CHANGES.items():
            track = analyse(change(recording.audio, rate), rate)
            moved[name].append(np.abs(_scores(scorer, track, pool.edits) - before))
    spread = float(np.mean(spreads))
    told = ", ".join(f"{name} {100 * np.concatenate(each).mean() / spread:.1f} %" for name, each in moved.items())
    return f"Mean movement of a score over the spread within a recording, {len(chosen)} test recordings: {told}."


def _scores(scorer: EditScorer, track: Track, edits: Sequence[EDL]) -> DoubleArray:
    ground = Ground(track)
    with torch.inference_mode():
        batch = put_together([ground.heard], [[describe_edit(edl, ground) for edl in edits]])
        return scorer(*batch).numpy().astype(np.float64)


def _toned(gain_db: float) -> Callable[[Array, int], Array]:
    """A shelf of about `gain_db` above 2 kHz."""

    def process(audio: Array, rate: int) -> Array:
        bright = sosfilt(butter(1, 2000.0, "high", fs=rate, output="sos"), audio)
        return (audio + (10.0 ** (gain_db / 20.0) - 1.0) * bright).astype(np.float32)

    return process


def _as_mp3(audio: Array, rate: int) -> Array:
    """The same after MP3, of the same length."""
    with tempfile.TemporaryDirectory() as folder:
        write_audio(Path(folder) / "lossy.mp3", audio, rate)
        lossy = read_audio(Path(folder) / "lossy.mp3").audio
    return np.pad(lossy, ((0, 0), (0, max(audio.shape[1] - lossy.shape[1], 0))))[:, : audio.shape[1]]


CHANGES: dict[str, Callable[[Array, int], Array]] = {
    "gain -6 dB": lambda audio, rate: audio / 2.0,
    "treble +6 dB": _toned(6.0),
    "treble -6 dB": _toned(-6.0),
    "MP3": _as_mp3,
}


def subset(prepared: PreparedSet, folder: Path, each_song: int) -> PreparedSet:
    """A prepared set of at most so many takes of each song; what is in its files stays where it is."""
    count: dict[str, int] = {}
    chosen = []
    for entry in prepared.entries:
        assert entry.measured is not None
        count[entry.measured.song_hash] = count.get(entry.measured.song_hash, 0) + 1
        if count[entry.measured.song_hash] <= each_song:
            chosen.append(entry)
    folder.mkdir(parents=True, exist_ok=True)
    for name in SUBFOLDERS:
        if not (folder / name).exists():
            (folder / name).symlink_to((prepared.folder / name).resolve())
    write_manifest(folder, chosen)
    return read_prepared(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--raws", type=Path, help="folder of the raws (default: that of the prepared set)")
    parser.add_argument("--work", type=Path, required=True, help="folder of pools, answers and runs")
    parser.add_argument("--takes", type=int, default=1, help="takes of each song (default 1)")
    args = parser.parse_args()
    work, prepared = args.work.resolve(), args.prepared.resolve()
    raws = (args.raws or prepared.parent).resolve()
    chosen = subset(read_prepared(prepared), work / "prepared", args.takes)
    pools = pools_of(chosen, raws, work / "pools")
    planted = fitted(work, "pretrained", prepared, PRETRAINED)
    rows = list(rater_rows(work, pools))
    sides = {side: sum(pool.entry.split == side for pool in pools) for side in ("train", "val", "test")}
    publish(
        "reward_raters",
        "Reward model and simulated raters",
        ("rater", "utility", "ceiling", "accuracy", "short of it", "ECE", "length correlation"),
        rows,
        f"{ANSWERS} answers on edits of {sides['train']} train and {sides['val']} val takes; all pairs of"
        f" {sides['test']} test takes of other songs. The audible half of a utility comes from sound.",
        f"Planted faults alone, test songs: accuracy {planted['test/accuracy']:.3f}, "
        f"ECE {planted['test/calibration_error']:.3f}, length correlation {planted['test/length_correlation']:.2f}.",
        held_out_text(work, prepared),
        invariance_text(work, pools, raws),
    )


if __name__ == "__main__":
    main()
