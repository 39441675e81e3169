"""Every error that raysearch raises on purpose, and the exit code each one ends with.

RaysearchError
├── UserError                 exit 2: something to correct on the command line or in a file
│   ├── ConfigError           a key or value that a section refuses
│   ├── UnknownNameError      a space, corpus, extractor or model that does not exist
│   ├── MissingPathError      a file or folder that is not there
│   ├── ResourceError         workers that can never fit on this machine or cluster
│   ├── RunExistsError        a run of that name, or a changed spec, without permission
│   │   └── OtherSettingsError  a run that is resumed has other settings
│   └── StorageRefusedError   a store that does not let these credentials in
├── DataError                 exit 3: the data cannot support an honest search
│   ├── EmptyCorpusError      no usable utterance
│   ├── QuarantineError       too large a share of the audio is unreadable
│   └── LeakError             a declared key is shared between train, validation and test
├── TrialError                exit 1 if every trial failed; else the search goes on
│   └── NonFiniteLossError    the loss became NaN or infinite
├── InfrastructureError       exit 4: workers, nodes or storage were lost for good
└── SearchInterruptedError         exit 130: stopped by a signal, resumable
"""

__all__ = [
    "ConfigError",
    "DataError",
    "EmptyCorpusError",
    "InfrastructureError",
    "LeakError",
    "MissingPathError",
    "NonFiniteLossError",
    "OtherSettingsError",
    "QuarantineError",
    "RaysearchError",
    "ResourceError",
    "RunExistsError",
    "SearchInterruptedError",
    "StorageRefusedError",
    "TrialError",
    "UnknownNameError",
    "UserError",
    "first_line",
]


class RaysearchError(Exception):
    """Base of every deliberate error; its message is one line a user can act on."""

    exit_code = 1


class UserError(RaysearchError):
    """The user's mistake: the message says what is wrong and what to do."""

    exit_code = 2


class ConfigError(UserError):
    """A key or value that a section refuses."""


class UnknownNameError(UserError):
    """A name that no table holds."""


class MissingPathError(UserError):
    """A file or folder that does not exist."""


class ResourceError(UserError):
    """Workers that can never fit; the message holds the arithmetic."""


class RunExistsError(UserError):
    """A run that exists, or whose settings differ, where that was not asked for."""


class OtherSettingsError(RunExistsError):
    """A run that cannot be resumed, as its settings are other ones."""


class StorageRefusedError(UserError):
    """A store that does not let these credentials in; while a search runs that may pass."""


class DataError(RaysearchError):
    """The data cannot support an honest search."""

    exit_code = 3


class EmptyCorpusError(DataError):
    """No usable utterance was found."""


class QuarantineError(DataError):
    """More audio than the allowed share is unreadable, empty or not finite."""


class LeakError(DataError):
    """A key that the protocol declares disjoint occurs on two sides of a split."""


class TrialError(RaysearchError):
    """A trial failed: the search goes on, unless every one did."""


class NonFiniteLossError(TrialError):
    """The training loss became NaN or infinite."""


class InfrastructureError(RaysearchError):
    """Workers, nodes or storage were lost for good."""

    exit_code = 4


class SearchInterruptedError(RaysearchError):
    """Stopped by a signal; the run can be resumed."""

    exit_code = 130


def first_line(error: object) -> str:
    """Return the first line of what ``error`` says; its class's name if it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
