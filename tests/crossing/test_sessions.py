"""Each session in ``sessions`` goes as it is written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.caches import repository, small_model, write_cache
from tests.cli.shell import Shell
from tests.crossing.sessions import read_session, run_session

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.txt"))


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_a_session_goes_as_written(session: Path, tmp_path: Path) -> None:
    """It starts in a home with a cache and a small tree."""
    write_cache(tmp_path / "hf-home/hub", repository(small_model()))
    tree = tmp_path / "manuals"
    (tree / "install").mkdir(parents=True)
    (tree / "README").write_text("Read me first.\n" * 100)
    (tree / "install/steps.txt").write_text("One. Two. Three.\n")
    run_session(session, Shell(tmp_path))


def test_sessions_are_found_and_no_step_is_without_an_end() -> None:
    assert len(SESSIONS) >= 10
    for session in SESSIONS:
        steps = read_session(session)
        assert any(step.command.startswith("bundle ") for step in steps)
        assert all(step.code != -1 for step in steps), session.name
