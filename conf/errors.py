"""The one exception tree: what went wrong, and whether the person who ran it can mend it."""

from __future__ import annotations


class C360Error(Exception):
    """Anything the suite raises on purpose; its text is one paragraph for a person.

    ``exit_code`` is what the command line ends with: 1 for a failure, 2 for bad input or configuration.
    """

    exit_code = 1


class BadInputError(C360Error):
    """Input or configuration that a person can mend; nothing was written."""

    exit_code = 2


class ConfigurationError(BadInputError):
    """Configuration that does not validate. Carries every problem found, not just the first."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        count = len(problems)
        head = "The configuration has a problem" if count == 1 else f"The configuration has {count} problems"
        super().__init__(f"{head}:\n" + "\n".join(f"  - {problem}" for problem in problems))


class SourceError(BadInputError):
    """A source folder, file or column that the configuration names and the landing area does not have."""


class LakeError(BadInputError):
    """A lake that this version cannot use, e.g. one that a newer version wrote."""


class LakeBusyError(C360Error):
    """A lake that another run is writing to."""


class StageError(C360Error):
    """A stage that could not finish; the lake holds what the last finished stage left."""


class NotFoundError(C360Error):
    """Nobody and nothing by the name that was asked for; the question itself was well put."""
