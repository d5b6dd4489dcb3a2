"""``syncd check-config``: what the configuration says, and what is there for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import PartialError, UsageError
from bundle.state.receiver import enrolled_root
from bundle.target.locate import parse_target
from syncd.assembly import load_config
from syncd.mounts import NETWORK, mount_of, parse_mounts
from syncd.publishing import options_of
from syncd.watcher import MOUNTINFO

if TYPE_CHECKING:
    import argparse

    from bundle.cli.session import Session
    from syncd.config import Config


def check(options: argparse.Namespace, session: Session) -> None:
    """Say what is wrong with a configuration, or what it comes to.

    Raises:
        UsageError: it is none; names the line.
        PartialError: it is one, and something that it needs is not there.
    """
    config = load_config(Path(options.config))
    problems = [*_problems(config)]
    output = session.output
    output.table(
        ("what", "where", "which"),
        [
            ("state", config.state, config.site),
            ("store", config.store.path, f"keeps {config.store.keep} of each stream"),
            *(("media", path, "watched") for path in config.media.watch),
            *(("target", one.to, one.name) for one in config.target),
        ],
    )
    for problem in problems:
        output.warn(problem)
    output.event(
        "result",
        verb=options.verb,
        config=options.config,
        site=config.site,
        targets=[one.name for one in config.target],
        problems=problems,
    )
    if problems:
        raise PartialError(
            f"{options.config} is a configuration, but not all that it needs is here",
            left=tuple(problems),
            advice="mend these and check again",
        )
    output.say(f"{options.config}: nothing is wrong")


def _problems(config: Config) -> list[str]:
    problems = []
    for one in config.target:
        try:
            options = options_of(one, Path(config.state) / "targets", {}, float)
            parse_target(one.to, options)
        except UsageError as error:
            problems.append(f"target {one.name}: {error}")
    state = Path(config.state)
    if enrolled_root(state) is None:
        problems.append(
            f"no trust root is enrolled: bundle trust enrol ROOT.json --state {state}"
        )
    mount = mount_of(str(state.resolve()), parse_mounts(MOUNTINFO.read_text()))
    if mount is not None and mount.kind in NETWORK:
        problems.append(f"the state is on {mount.kind}, where a journal is not safe")
    problems += [
        f"media: {path} is not there yet"
        for path in config.media.watch
        if not Path(path).is_dir()
    ]
    return problems
