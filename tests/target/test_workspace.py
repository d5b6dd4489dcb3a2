import subprocess
import sys
from pathlib import Path

import pytest

from bundle.errors import TargetError
from bundle.target.folder import Folder
from bundle.target.workspace import Workspace
from tests.target.sample import listing_of

_KILLED = """
import os, sys
from pathlib import Path
from bundle.target.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]))
workspace.begin()
(workspace.files / "half").write_bytes(b"half a model")
print(workspace.files, flush=True)
sys.stdin.read(1)
os._exit(9)
"""


def _start(root: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_run_left_is_cleared_and_a_living_run_is_left_alone(
    tmp_path: Path,
) -> None:
    process, files = _start(tmp_path)
    workspace = Workspace(tmp_path)
    workspace.begin()
    assert (files / "half").exists()
    workspace.end()
    process.communicate()
    workspace = Workspace(tmp_path)
    workspace.begin()
    assert not files.exists()
    assert workspace.files.is_dir()
    workspace.end()
    assert not list((tmp_path / ".bundle").iterdir())


def test_two_runs_in_one_process_have_places_of_their_own(tmp_path: Path) -> None:
    one, two = Workspace(tmp_path), Workspace(tmp_path)
    one.begin()
    two.begin()
    assert one.files != two.files
    assert one.files.is_dir()
    one.end()
    one.end()
    assert two.files.is_dir()
    two.end()


def test_the_target_is_made_when_the_directory_above_it_exists(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "new")
    workspace.begin()
    assert workspace.files.is_dir()
    workspace.end()
    with pytest.raises(TargetError, match="directory above"):
        Workspace(tmp_path / "no" / "new").begin()


@pytest.mark.parametrize("planted", [".bundle", ".locks"])
def test_a_planted_link_is_refused(tmp_path: Path, planted: str) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / planted).symlink_to(tmp_path / "away")
    parts = (".bundle",) if planted == ".bundle" else (".locks", ".bundle")
    workspace = Workspace(tmp_path / "target", parts)
    with pytest.raises(TargetError, match="where a directory belongs"):
        workspace.begin()
    with pytest.raises(TargetError, match="where a directory belongs"):
        workspace.read(("records", "x"), 10)
    assert not list((tmp_path / "away").iterdir())


def test_a_link_in_what_a_dead_run_left_is_removed_and_not_followed(
    tmp_path: Path,
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"1")
    left = tmp_path / ".bundle" / "run-0123456789abcdef"
    left.mkdir(parents=True)
    (left / "link").symlink_to(tmp_path / "precious")
    workspace = Workspace(tmp_path)
    workspace.begin()
    workspace.end()
    assert not left.exists()
    assert (tmp_path / "precious" / "file").exists()


def test_a_file_is_written_once(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.write(("records", "a.json"), b"{}")
    before = listing_of(tmp_path)
    workspace.write(("records", "a.json"), b"{}")
    assert listing_of(tmp_path) == before
    workspace.write(("records", "a.json"), b"{1}")
    assert workspace.read(("records", "a.json"), 10) == b"{1}"
    assert [path.name for path in (tmp_path / ".bundle/records").iterdir()] == [
        "a.json"
    ]


def test_what_is_put_together_has_names_of_its_own(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.begin()
    with workspace.building() as build:
        assert isinstance(build, Folder)
        assert build.path == workspace.build
        assert workspace.fresh() != workspace.fresh()
    workspace.finish("blake3:" + "0" * 64)
    assert b"blake3:0" in (tmp_path / ".bundle" / "published.json").read_bytes()


def test_a_run_that_writes_nothing_leaves_no_trace(tmp_path: Path) -> None:
    first = Workspace(tmp_path)
    first.begin()
    first.finish("blake3:" + "0" * 64)
    before = listing_of(tmp_path)
    again = Workspace(tmp_path)
    again.begin()
    again.finish("blake3:" + "0" * 64)
    assert listing_of(tmp_path) == before


def test_there_is_no_place_for_files_outside_a_run(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert not workspace.files.exists()
    workspace.begin()
    assert workspace.files.is_dir()
    workspace.end()
    assert not workspace.files.exists()
    assert not list(tmp_path.iterdir())
