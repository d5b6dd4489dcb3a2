"""Every error this package raises on purpose.

* BundleError                         exit  1
  + UsageError                              2   the command line makes no sense
  + FormatError                            10   these bytes are not a valid bundle
    - TruncatedError                            they may be valid but they stop too soon
    - LimitError                                they ask for more than a reader allows
  + IntegrityError                         11   bytes and digest disagree
  + TrustError                             12   the signatures do not meet the policy
  + MissingError                           13   something required is not here
  + TargetError                            14   a target or an output cannot take it
    - SpaceError                                it would not fit
    - ExistsError                               something finished is there already
  + SourceError                            15   an input is damaged or changing
  + StoreError                             16   a store or a network could not do it
    - NotFoundError
    - TransientError                            worth retrying
  + PartialError                           20   some was done, the rest is listed

An error says whose fault it is: ``FormatError``, ``IntegrityError`` and
``TrustError`` blame the data, ``MissingError``, ``TargetError``,
``SourceError`` and ``StoreError`` blame the world, ``UsageError``,
``ValueError`` and ``TypeError`` blame the caller.

``advice`` is the next step for whoever reads the message, or empty.
"""

from __future__ import annotations

from typing import ClassVar


class BundleError(Exception):
    """Base of all errors here; ``exit_code`` is what the CLI returns for it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


class UsageError(BundleError):
    """What was asked for makes no sense as it stands."""

    exit_code = 2


class FormatError(BundleError):
    """The bytes at ``offset`` break rule ``rule`` of the specification."""

    exit_code = 10

    def __init__(
        self, message: str, *, rule: str, offset: int | None = None, advice: str = ""
    ) -> None:
        super().__init__(message, advice=advice)
        self.rule = rule
        self.offset = offset

    def __str__(self) -> str:
        where = "" if self.offset is None else f" at byte {self.offset}"
        return f"{super().__str__()}{where} (rule {self.rule})"


class TruncatedError(FormatError):
    """The bytes stop before the structure they begin is complete."""


class LimitError(FormatError):
    """The bytes ask for more than a bound in ``bundle.limits`` allows."""


class IntegrityError(BundleError):
    """Bytes and the digest or size that names them disagree (rule ``rule``).

    ``left`` names what is lost, one line each, where that was looked for.
    """

    exit_code = 11

    def __init__(
        self, message: str, *, rule: str, advice: str = "", left: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, advice=advice)
        self.rule = rule
        self.left = left

    def __str__(self) -> str:
        return f"{super().__str__()} (rule {self.rule})"


class TrustError(BundleError):
    """Signatures, keys, versions or dates do not meet the policy (rule ``rule``)."""

    exit_code = 12

    def __init__(self, message: str, *, rule: str, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.rule = rule

    def __str__(self) -> str:
        return f"{super().__str__()} (rule {self.rule})"


class MissingError(BundleError):
    """Something the work needs is not here: a volume, a recipe, base chunks."""

    exit_code = 13


class TargetError(BundleError):
    """A target or an output directory cannot take what it was given."""

    exit_code = 14


class SpaceError(TargetError):
    """What is to be written would not fit."""


class ExistsError(TargetError):
    """Something finished is in the way and is never overwritten."""


class SourceError(BundleError):
    """An input is damaged, unreadable, or changed while it was read.

    ``left`` names what is missing, one line each, where that was looked for.
    """

    exit_code = 15

    def __init__(
        self, message: str, *, advice: str = "", left: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, advice=advice)
        self.left = left


class StoreError(BundleError):
    """A store or a network could not do what it was asked.

    ``left`` names what cannot be read, one line each, where that was looked for.
    """

    exit_code = 16

    def __init__(
        self, message: str, *, advice: str = "", left: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, advice=advice)
        self.left = left


class NotFoundError(StoreError):
    """The store does not hold what was asked for."""


class TransientError(StoreError):
    """Worth trying again; the retry wrapper looks for this class."""


class PartialError(BundleError):
    """Some of the work was done; ``left`` names what was not, one line each."""

    exit_code = 20

    def __init__(
        self, message: str, *, left: tuple[str, ...] = (), advice: str = ""
    ) -> None:
        super().__init__(message, advice=advice)
        self.left = left
