"""From an exception to an exit code and what a person or a program reads.

An error this package raises on purpose has a code, a line and often advice. Any
other is a mistake of ours: exit 1, one line, and how to see where it happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bundle.cli.output import OutputClosedError
from bundle.errors import BundleError

if TYPE_CHECKING:
    from bundle.cli.output import Output

INTERRUPTED: Final = 130
_UNEXPECTED: Final = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """What is told about one error (spec §40.4)."""

    name: str
    exit_code: int
    message: str
    line: str
    advice: str = ""
    rule: str | None = None
    offset: int | None = None
    left: tuple[str, ...] = ()


def failure_of(error: BaseException) -> Failure:
    """Return what to tell about ``error``, the first cause of a group."""
    error = _first(error)
    if isinstance(error, BundleError):
        return Failure(
            name=type(error).__name__,
            exit_code=error.exit_code,
            message=str(error.args[0]) if error.args else str(error),
            line=str(error),
            advice=error.advice,
            rule=getattr(error, "rule", None),
            offset=getattr(error, "offset", None),
            left=getattr(error, "left", ()),
        )
    if _is_interrupt(error):
        return Failure("Interrupted", INTERRUPTED, "interrupted", "interrupted")
    line = f"unexpected {type(error).__name__}: {error}"
    advice = "set BUNDLE_DEBUG=1 and run it again to see where it happened"
    return Failure("Unexpected", _UNEXPECTED, line, line, advice)


def report(error: BaseException, output: Output, *, debug: bool) -> int:
    """Tell whoever is there about ``error`` and return the exit code."""
    if isinstance(_first(error), OutputClosedError):
        return 0
    failure = failure_of(error)
    if debug:
        import traceback

        for line in "".join(traceback.format_exception(error)).splitlines():
            output.complain(line)
    if output.takes_events:
        output.event(
            "error",
            **{"class": failure.name},
            exit_code=failure.exit_code,
            message=failure.message,
            advice=failure.advice,
            rule=failure.rule,
            offset=failure.offset,
            left=failure.left,
        )
    else:
        _complain(failure, output)
    return failure.exit_code


def _complain(failure: Failure, output: Output) -> None:
    """Print one line, then what was left undone, then the advice."""
    output.complain(f"bundle: {failure.line}")
    for line in failure.left:
        output.complain(f"  {line}")
    if failure.advice:
        output.complain(failure.advice)


def _first(error: BaseException) -> BaseException:
    """Return the error of a group that says most: an interrupt, ours, then others."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    return max(map(_first, error.exceptions), key=_weight)


def _weight(error: BaseException) -> int:
    """Return how much one error of a group says of why the run ended."""
    return 2 if _is_interrupt(error) else int(isinstance(error, BundleError))


def _is_interrupt(error: BaseException) -> bool:
    """Tell whether the run was asked to stop: what is no ``Exception`` says that."""
    return not isinstance(error, Exception)
