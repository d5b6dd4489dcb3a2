"""Every attack of the published kit is refused, and leaves nothing behind."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bundle.errors import BundleError
from spec.vectors.generator.attacks.every import every
from spec.vectors.generator.attacks.kit import ABSOLUTE, FAMILIES, LANDMARK
from tests.attacks.kit import ATTACKS, load, stage
from tests.bundles import no_flushing

if TYPE_CHECKING:
    from tests.attacks.kit import Scene

NAMES = sorted(path.name for path in ATTACKS.iterdir() if path.is_dir())
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_and_nothing_changed(name: str, tmp_path: Path) -> None:
    vector = load(ATTACKS / name)
    with no_flushing():
        scene = stage(vector, tmp_path)
        before = scene.everything()
        for verb in _verbs(scene):
            with pytest.raises(BundleError) as caught:
                getattr(scene, verb)()
            _check_reason(caught.value, vector.exit, vector.names or vector.rules[0])
            assert scene.everything() == before
    assert not [*tmp_path.parent.glob(f"**/*{LANDMARK}*")]
    assert not Path(ABSOLUTE).exists()


def _verbs(scene: Scene) -> list[str]:
    if scene.vector.kind == "stream":
        return ["unpack"]
    reader = scene.vector.given.get("reader")
    return [reader] if reader else ["verify", "unpack"]


def _check_reason(error: BundleError, code: int, rule: str) -> None:
    """The class, one line that a terminal can show, and the rule that is broken."""
    assert error.exit_code == code, error
    assert str(error).isprintable()
    assert getattr(error, "rule", rule) == rule, error


@cache
def _readme(name: str) -> str:
    return (ATTACKS / name / "README.md").read_text()


def test_the_kit_is_what_the_generator_makes() -> None:
    held = every()
    assert [one.name for one in sorted(held, key=lambda one: one.name)] == NAMES
    assert len(held) >= 200
    assert {one.family for one in held} == {*FAMILIES}
    for one in held:
        assert one.vector.exit in (10, 11, 12, 13, 14)
        assert one.vector.comment.endswith((".", "!", "?"))
        assert not one.known or all(each in _readme(one.name) for each in one.known)


ADVISORY = re.compile(r"(?:CVE|GO)-\d{4}-\d+|#4540")


def test_the_table_of_advisories_leads_to_attacks_that_name_them() -> None:
    """SECURITY.md says which attack answers which advisory about others."""
    text = (ROOT / "SECURITY.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE)
    found = {
        advisory: re.findall(r"`([a-z0-9_/.:]+)`", cases)
        for advisories, cases in rows
        for advisory in ADVISORY.findall(advisories)
    }
    for product in (
        *("Zarf", "oras-go", "Helm", "cosign", "Ollama", "huggingface_hub"),
        *("tarfile", "go-tuf", "containers/image"),
    ):
        assert any(product in advisories for advisories, _ in rows), product
    assert len(found) >= 20
    for advisory, cases in found.items():
        assert cases, advisory
        for case in cases:
            if case.startswith("tests/"):
                path, _, test = case.partition("::")
                assert f"def {test}(" in (ROOT / path).read_text(), case
            else:
                assert case in NAMES, case
                assert advisory in _readme(case), (advisory, case)


RUNNER = ATTACKS / "run.py"
COMMAND = f"{sys.executable} -m bundle"
TAKEN = "{bundle} --to {target} --state {state} --quiet {site} {strict}"
READER = (
    *("--enrol", f"{COMMAND} trust enrol {{root}} --state {{state}} --quiet"),
    *("--unpack", f"{COMMAND} unpack {TAKEN}"),
    *("--stream", f"{COMMAND} unpack - --to {{target}} --state {{state}} --quiet"),
)


def _ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RUNNER), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_program_of_the_kit_tries_the_command() -> None:
    some = ("path_dot_dot", "roll_back", "stream_by_a_stranger")
    ran = _ran(*READER, *(word for name in some for word in ("--only", name)))
    assert ran.stdout.endswith("3 refused as they should be, 0 not, 0 left out\n")
    assert ran.returncode == 0


def test_the_program_of_the_kit_notices_a_reader_that_takes_everything() -> None:
    ran = _ran("--unpack", "true", "--only", "path_dot_dot")
    assert "path_dot_dot: exit 0, not 10" in ran.stdout
    assert ran.returncode == 1


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_program_of_the_kit_tries_the_command_with_every_attack() -> None:
    ran = _ran(*READER)
    assert ran.returncode == 0, ran.stdout
