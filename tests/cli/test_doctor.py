from __future__ import annotations

from typing import TYPE_CHECKING

from tests.caches import repository, write_cache
from tests.cli.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path

MODEL = repository({"config.json": b"{}", "model.safetensors": b"w" * 100})


def test_a_home_in_order_shows_revisions_and_variables(tmp_path: Path) -> None:
    write_cache(tmp_path / "hub", MODEL, litter=False)
    for path in tmp_path.rglob("*.json"):
        path.chmod(0o644)
    ran = Shell(tmp_path).ok("doctor", f"hf-home:{tmp_path}")
    assert ran.lines[0] == "kind name revision refs files size loads"
    assert ran.lines[1].startswith("hf-model org/model ")
    assert ran.lines[1].endswith(" yes")
    assert any(line.startswith(f"HF_HOME={tmp_path} #") for line in ran.lines)


def test_repositories_a_directory_too_high_are_an_error(tmp_path: Path) -> None:
    write_cache(tmp_path, MODEL, litter=False)
    ran = Shell(tmp_path)("doctor", f"hf-home:{tmp_path}")
    assert ran.code == 14
    (error,) = [line for line in ran.lines if line.startswith("error: ")]
    assert f"looks in {tmp_path / 'hub'}" in error
    assert "HF_HUB_CACHE=" in ran.out
    assert ran.err.startswith(f"bundle: hf-home:{tmp_path}: 1 thing will keep")


def test_a_program_gets_findings_a_result_and_an_error(tmp_path: Path) -> None:
    write_cache(tmp_path, MODEL, litter=False)
    ran = Shell(tmp_path)("doctor", f"hf-home:{tmp_path}", "--json")
    assert [finding["severity"] for finding in ran.of("finding")] == ["error"]
    assert ran.result["loads"] is False
    assert ran.error["class"] == "TargetError"


def test_a_tree_in_order_says_so(tmp_path: Path) -> None:
    ran = Shell(tmp_path).ok("doctor", f"tree:{tmp_path}")
    assert ran.out == "nothing stands in the way of loading\n"


def test_what_is_no_target_is_a_usage_error(tmp_path: Path) -> None:
    assert Shell(tmp_path)("doctor", "s3:bucket").code == 2
