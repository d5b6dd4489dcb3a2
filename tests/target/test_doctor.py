import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundle.errors import UsageError
from bundle.target.diagnosis import Diagnosis, Severity
from bundle.target.doctor import diagnose
from bundle.target.hf_cache import HuggingFaceTarget
from bundle.target.locate import parse_target
from tests.clients import ClientError, HubClient, contents
from tests.target.sample import ONE, TWO, listing_of, repository, sample, unpack

FILES = {"config.json": b"{}", "1_Pooling/config.json": b'{"a": 1}', "w": b"w" * 2000}
MODEL = repository({ONE: FILES}, {"main": ONE})
FOLDER = "models--org--model"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubClient]:
    with HubClient(home=tmp_path_factory.mktemp("home")) as client:
        yield client


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    root = tmp_path / "cache"
    unpack(HuggingFaceTarget("", root, home=False, copy=False), MODEL)
    return root


def _of(diagnosis: Diagnosis, severity: Severity) -> list[str]:
    return [found.message for found in diagnosis.findings if found.severity is severity]


def _variables(diagnosis: Diagnosis) -> dict[str, str]:
    return {variable.name: variable.value for variable in diagnosis.variables}


def test_a_cache_in_order_has_nothing_to_say(cache: Path) -> None:
    before = listing_of(cache)
    diagnosis = diagnose(f"hf-cache:{cache}")
    assert diagnosis.findings == ()
    assert diagnosis.exit_code == 0
    (found,) = diagnosis.repositories
    assert (found.kind, found.name, found.loads) == ("hf-model", "org/model", True)
    (revision,) = found.revisions
    assert (revision.commit, revision.refs) == (ONE, ("main",))
    assert (revision.files, revision.bytes) == (3, 2010)
    assert listing_of(cache) == before
    assert _variables(diagnosis) == {
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }


@pytest.mark.parametrize("scheme", ["hf-home", "hf-cache"])
def test_a_client_with_the_variables_that_are_named_loads(
    tmp_path: Path, scheme: str
) -> None:
    location = f"{scheme}:{tmp_path / 'new'}"
    unpack(parse_target(location), MODEL)
    diagnosis = diagnose(location)
    assert diagnosis.exit_code == 0
    with HubClient(environment=_variables(diagnosis)) as client:
        assert contents(client.snapshot("org/model")) == FILES


def test_repositories_directly_below_a_home_do_not_load_and_both_ways_out_do(
    cache: Path,
) -> None:
    diagnosis = diagnose(f"hf-home:{cache}")
    assert diagnosis.exit_code == 14
    (finding,) = diagnosis.findings
    assert f"{FOLDER} will not load" in finding.message
    assert f"looks in {cache}/hub" in finding.message
    with HubClient(home=cache) as client, pytest.raises(ClientError):
        client.snapshot("org/model")
    assert f"HF_HUB_CACHE={cache}" in finding.fix
    with HubClient(cache=cache) as client:
        assert contents(client.snapshot("org/model")) == FILES
    assert f"mv {cache}/*--* {cache}/hub/" in finding.fix
    (cache / "hub").mkdir()
    (cache / FOLDER).rename(cache / "hub" / FOLDER)
    assert diagnose(f"hf-home:{cache}").findings == ()
    with HubClient(home=cache) as client:
        assert contents(client.snapshot("org/model")) == FILES


def test_a_hub_that_is_a_link_to_the_same_place_loads(cache: Path) -> None:
    (cache / "hub").symlink_to(".")
    diagnosis = diagnose(f"hf-home:{cache}")
    assert diagnosis.exit_code == 0
    assert any("unpack does not" in text for text in _of(diagnosis, Severity.WARNING))
    with HubClient(home=cache) as client:
        assert contents(client.snapshot("org/model")) == FILES


def test_a_home_that_is_named_as_a_cache_does_not_load(tmp_path: Path) -> None:
    unpack(parse_target(f"hf-home:{tmp_path}"), MODEL)
    diagnosis = diagnose(f"hf-cache:{tmp_path}")
    assert diagnosis.exit_code == 14
    assert f"HF_HOME={tmp_path}" in diagnosis.findings[0].fix
    with HubClient(cache=tmp_path) as client, pytest.raises(ClientError):
        client.snapshot("org/model")


def _blob(repository: Path, size: int) -> Path:
    (found,) = (
        path for path in (repository / "blobs").iterdir() if path.stat().st_size == size
    )
    return found


def _dangling(repository: Path) -> None:
    _blob(repository, 2000).unlink()


def _two_hops(repository: Path) -> None:
    blob = _blob(repository, 2000)
    blob.unlink()
    blob.symlink_to("../../blobs/ab/" + "ab" * 32)


def _newline(repository: Path) -> None:
    (repository / "refs" / "main").write_text(f"{ONE}\n")


def _lost_ref(repository: Path) -> None:
    (repository / "refs" / "main").write_text(TWO)


def _truncated(repository: Path) -> None:
    _blob(repository, 2000).write_bytes(b"w" * 1999)


def _incomplete(repository: Path) -> None:
    (repository / "snapshots" / ONE / "w").unlink()


def _no_snapshots(repository: Path) -> None:
    shutil.rmtree(repository / "snapshots")


def _empty_snapshot(repository: Path) -> None:
    shutil.rmtree(repository / "snapshots" / ONE)
    (repository / "snapshots" / ONE).mkdir()


def _no_revision(repository: Path) -> None:
    shutil.rmtree(repository / "snapshots" / ONE)


def _dangling_ref(repository: Path) -> None:
    (repository / "refs" / "main").unlink()
    (repository / "refs" / "main").symlink_to("nowhere")


def _pipe(repository: Path) -> None:
    shutil.rmtree(repository / "trees")
    (repository / "snapshots" / ONE / "w").unlink()
    os.mkfifo(repository / "snapshots" / ONE / "w")


def _private(repository: Path) -> None:
    _blob(repository, 2000).chmod(0o600)


def _private_directory(repository: Path) -> None:
    (repository / "blobs").chmod(0o700)


@pytest.mark.parametrize(
    ("damage", "message", "client_fails"),
    [
        pytest.param(_dangling, "which is not here", True, id="a dangling link"),
        pytest.param(_two_hops, "without the store", True, id="half a link of two"),
        pytest.param(_newline, "ends in a newline", True, id="a ref with a newline"),
        pytest.param(_lost_ref, "no such snapshot", True, id="a ref to nothing"),
        pytest.param(_truncated, "has 1999 bytes", False, id="a blob cut off"),
        pytest.param(_incomplete, "lacks 1", True, id="fewer files than listed"),
        pytest.param(_no_snapshots, "has no snapshots", True, id="no snapshots"),
        pytest.param(_no_revision, "holds no revision", True, id="no revision"),
        pytest.param(_dangling_ref, "cannot be read", True, id="a ref that dangles"),
        pytest.param(_pipe, "no regular file", False, id="a pipe for a file"),
        pytest.param(_empty_snapshot, "holds no file", True, id="an empty snapshot"),
    ],
)
def test_what_does_not_load_is_found(
    cache: Path,
    client: HubClient,
    damage: Callable[[Path], None],
    message: str,
    *,
    client_fails: bool,
) -> None:
    damage(cache / FOLDER)
    diagnosis = diagnose(f"hf-cache:{cache}")
    errors = [f for f in diagnosis.findings if f.severity is Severity.ERROR]
    assert any(message in found.message for found in errors), diagnosis.findings
    assert all(found.fix and found.subject.startswith(FOLDER) for found in errors)
    assert diagnosis.exit_code == 14
    assert not diagnosis.repositories[0].loads
    if client_fails:
        with pytest.raises((ClientError, OSError)):
            contents(client.snapshot("org/model", cache_dir=str(cache)))


@pytest.mark.parametrize("change", [_private, _private_directory])
def test_what_only_its_owner_can_read_does_not_load_in_a_pod(
    cache: Path, change: Callable[[Path], None]
) -> None:
    change(cache / FOLDER)
    diagnosis = diagnose(f"hf-cache:{cache}")
    (finding,) = diagnosis.findings
    assert f"only user {os.geteuid()} can read it" in finding.message
    assert "chmod 0" in finding.fix
    root = os.geteuid() == 0
    assert finding.severity is (Severity.ERROR if root else Severity.WARNING)


def _stray_revision(repository: Path) -> None:
    (repository / "snapshots" / ".tmp-1").mkdir()


def _stray_file(repository: Path) -> None:
    (repository / "snapshots" / "README").write_bytes(b"")


def _no_main(repository: Path) -> None:
    (repository / "refs" / "main").rename(repository / "refs" / "v1")


def _hidden(repository: Path) -> None:
    (repository / ".no_exist" / ONE).mkdir(parents=True)
    (repository / ".no_exist" / ONE / "config.json").write_bytes(b"")


def _xet(repository: Path) -> None:
    path = repository / "trees" / f"{ONE}.json"
    data = json.loads(path.read_bytes())
    data["files"]["w"]["xet_hash"] = "e" * 64
    path.write_text(json.dumps(data))


def _broken_listing(repository: Path) -> None:
    (repository / "trees" / f"{ONE}.json").write_bytes(b"{")


def _leads_away(repository: Path) -> None:
    away = repository.parents[1] / "away"
    away.write_bytes(b"w" * 2000)
    blob = _blob(repository, 2000)
    blob.unlink()
    blob.symlink_to(away)


def _code_elsewhere(repository: Path) -> None:
    config = {"auto_map": {"AutoModel": "other/code--model.Model", "X": ["a.B", None]}}
    blob = _blob(repository, 2)
    blob.write_text(json.dumps(config))
    shutil.rmtree(repository / "trees")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(_stray_revision, "counts as a revision", id="a stray directory"),
        pytest.param(_stray_file, "is a file, and is none", id="a stray file"),
        pytest.param(_no_main, "has no 'main'", id="no main"),
        pytest.param(_hidden, "do not see it", id="a marker that hides a file"),
        pytest.param(_xet, "another store", id="a hash of another store"),
        pytest.param(_broken_listing, "no listing that clients know", id="no listing"),
        pytest.param(_leads_away, "outside the cache", id="a link out of the cache"),
        pytest.param(_code_elsewhere, "takes its code from 'other/code'", id="code"),
    ],
)
def test_what_loads_with_a_reservation_is_a_warning(
    cache: Path, client: HubClient, change: Callable[[Path], None], message: str
) -> None:
    change(cache / FOLDER)
    diagnosis = diagnose(f"hf-cache:{cache}")
    assert any(message in text for text in _of(diagnosis, Severity.WARNING))
    assert diagnosis.exit_code == 0
    client.snapshot("org/model", revision=ONE, cache_dir=str(cache))


def test_code_of_a_model_wants_a_directory_that_can_be_written(cache: Path) -> None:
    _code_elsewhere(cache / FOLDER)
    other = repository({ONE: {"model.py": b"x = 1"}}, {"main": ONE}, name="other/code")
    unpack(parse_target(f"hf-cache:{cache}"), other)
    diagnosis = diagnose(f"hf-cache:{cache}")
    assert "HF_MODULES_CACHE" in _variables(diagnosis)
    assert diagnosis.findings == ()


def test_a_home_that_cannot_be_written_is_no_place_for_code(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _code_elsewhere(cache / FOLDER)
    monkeypatch.setattr(os, "access", lambda *_: False)
    diagnosis = diagnose(f"hf-cache:{cache}")
    assert any("HF_MODULES_CACHE" in found.fix for found in diagnosis.findings)


@pytest.mark.parametrize("config", [b"{", b"[]", b'{"auto_map": 1}', b"[" * 100_000])
def test_a_configuration_that_cannot_be_read_names_no_code(
    cache: Path, config: bytes
) -> None:
    shutil.rmtree(cache / FOLDER / "trees")
    _blob(cache / FOLDER, 2).write_bytes(config)
    diagnosis = diagnose(f"hf-cache:{cache}")
    assert diagnosis.findings == ()
    assert "HF_MODULES_CACHE" not in _variables(diagnosis)


def test_leftovers_are_noted(cache: Path) -> None:
    (cache / FOLDER / "blobs" / "abc.0123abcd.incomplete").write_bytes(b"")
    (cache / "lost+found").mkdir()
    diagnosis = diagnose(f"hf-cache:{cache}")
    assert len(_of(diagnosis, Severity.NOTE)) == 2
    assert diagnosis.exit_code == 0


def test_an_empty_cache_is_a_warning_and_none_at_all_is_an_error(
    tmp_path: Path,
) -> None:
    assert diagnose(f"hf-home:{tmp_path}").exit_code == 0
    assert _of(diagnose(f"hf-home:{tmp_path}"), Severity.WARNING) == ["is empty"]
    assert diagnose(f"hf-home:{tmp_path / 'no'}").exit_code == 14
    with pytest.raises(UsageError):
        diagnose("s3:bucket")


def test_a_tree_is_readable_or_not(tmp_path: Path) -> None:
    unpack(parse_target(f"tree:{tmp_path}"), sample("tree", "t", {"a/b": b"x"}))
    assert diagnose(f"tree:{tmp_path}") == Diagnosis(f"tree:{tmp_path}", (), (), ())
    (tmp_path / "a" / "b").chmod(0o600)
    (finding,) = diagnose(f"tree:{tmp_path}").findings
    assert finding.subject == str(tmp_path / "a" / "b")
    assert "chmod" in finding.fix
