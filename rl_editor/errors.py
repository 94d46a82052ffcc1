"""What can go wrong, in words of the user's world.

    EditorError
    ├── AudioError        a file that can't be read or written, sound that can't be used
    ├── TrackError        an analysis that is inconsistent or lacks what was asked of it
    ├── EDLError          an edit decision list that is malformed or fits no source
    ├── RequestError      a request no edit of this recording can meet
    ├── CheckpointError   weights that are missing, damaged or of another kind
    ├── DataError         training data that can't be used
    ├── EnvError          an environment that is misused, or does not keep the contract
    └── RecipeError       a recipe, a task or a run that is not there or can't be used so; a usage error

A message says what, its value, and what would be right: `song.wav: 0.4 s long; analysis needs at least 2 s`.
Errors are caught in one place, `rl_editor.cli.main`.
"""


class EditorError(Exception):
    """Root of all errors that a user can mend; its text is one line."""


class AudioError(EditorError):
    """A file can't be read or written, or its sound can't be used."""


class TrackError(EditorError):
    """An analysis is inconsistent, or lacks a field that was asked for."""


class EDLError(EditorError):
    """An edit decision list is malformed, or does not fit its source."""


class RequestError(EditorError):
    """No edit of this recording meets the request."""


class CheckpointError(EditorError):
    """Weights are missing, damaged or of another kind."""


class DataError(EditorError):
    """Training data can't be used."""


class EnvError(EditorError):
    """An environment is misused, or does not keep the contract."""


class RecipeError(EditorError):
    """A recipe, a task or a run is not there, or can't be used so; training commands leave with status 2."""
