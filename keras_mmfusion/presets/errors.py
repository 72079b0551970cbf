"""What can go wrong with a preset, one class per cause."""


class PresetError(Exception):
    """Base of all preset errors."""


class PresetNotFoundError(PresetError, FileNotFoundError):
    """There is no preset, repository, revision or file of this name."""


class PresetNotReachableError(PresetError, ConnectionError):
    """The Hub did not answer, and nothing suitable is cached."""


class PresetNotPermittedError(PresetError, PermissionError):
    """The Hub answered, and refuses this user."""


class PresetFileError(PresetError, ValueError):
    """A preset's file is damaged, inconsistent or not ours."""


class PresetUntrainedError(PresetError):
    """The preset has no published weights: architecture and recipe only."""
