"""Takes whose raws are played, not learned from line by line: what PPO edits."""

from collections.abc import Callable
from dataclasses import dataclass

from torch.utils.data import DataLoader

from rl_editor.data.prepared import PreparedSet
from rl_editor.data.splits import Split, spread
from rl_editor.envs.beat_edit.instances import make_instances
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.errors import RecipeError, RequestError
from rl_editor.modules.ppo import one_tick
from rl_editor.modules.prepared_takes import DEFAULT_FOLDER, PreparedTakes
from rl_editor.policies.imitation import request_of
from rl_editor.policies.taught import HeardTake, hear_take


@dataclass(frozen=True)
class PlayedTakesConfig:
    """Which takes are played."""

    folder: str = DEFAULT_FOLDER
    """Folder of the prepared set (rl-editor synthesize, then rl-editor prepare, make one)."""
    takes: int = 48
    """Takes that are played at most, of as many songs as there are; each is held in memory as it was encoded."""
    judged: int = 32
    """Takes that judge at most, the same."""
    jobs: int = -1
    """Processes that prepare takes at the beginning; -1: one a processor."""

    def __post_init__(self) -> None:
        if min(self.takes, self.judged) < 1:
            raise RecipeError(f"takes {self.takes}, judged {self.judged}: must be at least 1")


class PlayedTakes(PreparedTakes[HeardTake]):
    """The takes of a prepared set: its train side is played, its val side judges."""

    def __init__(self, takes: PlayedTakesConfig = PlayedTakesConfig()) -> None:
        super().__init__(takes.folder, takes.jobs)
        self.config = takes

    def make(self, side: Split) -> Callable[[PreparedSet, int], HeardTake | None]:
        """A take as it is heard; None where no edit of its length is known."""
        return _heard

    def chosen(self, side: Split) -> PreparedSet:
        """As many takes as are played, or judge."""
        every = super().chosen(side)
        count = self.config.takes if side == "train" else self.config.judged
        songs = [entry.measured.song_hash if entry.measured else "" for entry in every.entries]
        keys = {every.entries[k].key for k in spread(songs, count)}
        return every.where(lambda entry: entry.key in keys)

    def train_dataloader(self) -> DataLoader[int]:
        """One tick: a rollout."""
        return one_tick()

    def val_dataloader(self) -> DataLoader[int]:
        """One tick: an edit of each take."""
        return one_tick()

    def test_dataloader(self) -> DataLoader[int]:
        """The same."""
        return one_tick()


def _heard(prepared: PreparedSet, number: int) -> HeardTake | None:
    take = hear_take(prepared.load(prepared.entries[number]))
    try:
        make_instances([take.track], [(0, request_of(take))], RewardConfig())
    except RequestError:
        return None
    return take
