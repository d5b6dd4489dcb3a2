"""Options that a variable of the environment can give.

Each option ``--some-name`` reads ``BUNDLE_SOME_NAME`` when it is not on the
command line; what is typed beats what is set. A switch takes 1, true, yes, on
or 0, false, no, off, and has a ``--no-`` form so that it can be typed either
way. An option that repeats takes words, quoted as in a shell. A variable is
read only for the verb that has its option.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_SWITCH: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("", "0", "false", "no", "off"), False),
}


class Variables:
    """Adds options to one parser, with defaults that come from ``environment``."""

    def __init__(
        self, parser: argparse.ArgumentParser, environment: Mapping[str, str]
    ) -> None:
        self.parser = parser
        self.environment = environment

    def option(
        self,
        name: str,
        metavar: str,
        explanation: str,
        *,
        reads: Callable[[str], Any] = str,
        required: bool = False,
    ) -> None:
        """Add an option with one value, None when neither typed nor set.

        ``reads`` turns text into the value and raises ValueError.
        """
        default = self._default(name)
        self.parser.add_argument(
            name,
            metavar=metavar,
            help=_help(name, explanation),
            type=_typed(name, reads),
            default=default,
            required=required and default is None,
        )

    def several(
        self,
        name: str,
        metavar: str,
        explanation: str,
        *,
        reads: Callable[[str], Any] = str,
        required: bool = False,
    ) -> None:
        """Add an option that may repeat; each value is what ``reads`` gives."""
        default = self._default(name)
        self.parser.add_argument(
            name,
            action=_Several,
            metavar=metavar,
            help=_help(name, f"{explanation}; may repeat"),
            type=_typed(name, reads, repeats=True),
            default=[] if default is None else default,
            required=required and not default,
        )

    def switch(self, name: str, explanation: str, *, short: str = "") -> None:
        """Add an option that is on or off; off when neither typed nor set."""
        default = self._default(name)
        self.parser.add_argument(
            *([short] if short else []),
            name,
            action=_Switch,
            help=_help(name, explanation),
            type=_typed(name, on_or_off),
            default=False if default is None else default,
        )

    def _default(self, name: str) -> _Set | None:
        """Return what the variable of an option holds."""
        value = self.environment.get(variable_of(name))
        return None if value is None else _Set(value)


def variable_of(option: str) -> str:
    """Return the variable that stands in for ``option``.

    >>> variable_of("--volume-size")
    'BUNDLE_VOLUME_SIZE'
    """
    return "BUNDLE_" + option.lstrip("-").replace("-", "_").upper()


def on_or_off(text: str) -> bool:
    """Return what a switch's variable says.

    Raises:
        ValueError: it means neither on nor off.
    """
    try:
        return _SWITCH[text.strip().lower()]
    except KeyError:
        raise ValueError(
            f"{text!r} is neither on (1, true, yes) nor off (0, false, no)"
        ) from None


class _Set(str):
    """A default that was read from a variable."""

    __slots__ = ()


def _help(name: str, explanation: str) -> str:
    """Return the help of an option with its variable; % is argparse's own sign."""
    return f"{explanation} [{variable_of(name)}]".replace("%", "%%")


def _typed(
    name: str, reads: Callable[[str], Any], *, repeats: bool = False
) -> Callable[[str], Any]:
    """Return ``reads`` with the variable named when it is that which is refused."""

    def read(text: str) -> Any:  # noqa: ANN401 - whatever the option holds
        is_set = isinstance(text, _Set)
        try:
            if is_set and repeats:
                return [reads(word) for word in _words(text)]
            return reads(str(text))
        except ValueError as error:
            where = f"{variable_of(name)}: " if is_set else ""
            raise argparse.ArgumentTypeError(f"{where}{error}") from None

    return read


def _words(text: str) -> list[str]:
    """Split a variable into words as a shell would.

    Raises:
        ValueError: a quote is not closed.
    """
    import shlex

    return shlex.split(text)


class _Several(argparse.Action):
    """Collects values; the first one typed puts those of the variable aside."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's signature
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002 - argparse's signature
    ) -> None:
        known = getattr(namespace, self.dest)
        typed = [] if known is self.default else known
        setattr(namespace, self.dest, [*typed, values])


class _Switch(argparse.Action):
    """On as ``--name``, off as ``--no-name``; help shows the first form."""

    def __init__(self, option_strings: Sequence[str], dest: str, **rest: Any) -> None:  # noqa: ANN401
        self.on = tuple(option_strings)
        off = f"--no-{option_strings[-1].removeprefix('--')}"
        super().__init__([*option_strings, off], dest, nargs=0, **rest)

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's signature
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,  # noqa: ARG002 - a switch has none
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, option_string in self.on)


class Help(argparse.RawDescriptionHelpFormatter):
    """Help as argparse writes it, wider, with one form of each switch."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if isinstance(action, _Switch):
            return ", ".join(action.on)
        return super()._format_action_invocation(action)
