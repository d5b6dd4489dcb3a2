"""What becomes of a signature that a model brings along.

The tool here is a stand-in with the command line and the exit codes of the real one;
it takes a list of digests for a signature.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bundle.packing.listing import Listing
from bundle.packing.model_signatures import ModelCheck, with_model_signatures
from bundle.source.base import SourceArtifact, SourceFile
from tests.bundles import Site, write_tree

if TYPE_CHECKING:
    from pathlib import Path

STAND_IN = f"""#!{sys.executable}
import hashlib, pathlib, sys
words = sys.argv[1:]
assert words[:3] == ["verify", "key", "--public_key"], words
assert words[4] == "--signature" and words[6] == "--allow_symlinks", words
signature, model = pathlib.Path(words[5]), pathlib.Path(words[7])
found = sorted(
    hashlib.sha256(path.read_bytes()).hexdigest() + " " + str(path.relative_to(model))
    for path in model.rglob("*") if path.is_file() and path != signature
)
key, wanted = pathlib.Path(words[3]).read_text(), signature.read_text().split("\\n")
if key != "good" or found != wanted:
    sys.exit("Verification failed with error:\\nSignature mismatch\\x1b[31m")
print("Verification succeeded")
"""


@pytest.fixture
def check(tmp_path: Path) -> ModelCheck:
    tool = tmp_path / "model_signing"
    tool.write_text(STAND_IN)
    tool.chmod(0o755)
    (tmp_path / "maker.pub").write_text("good")
    return ModelCheck(str(tool), tmp_path / "maker.pub")


def model(directory: Path, *, inside: str = "") -> SourceArtifact:
    """A signed model; ``inside`` is where its files are in the artifact."""
    contents = {"config.json": b"{}", "weights/one.safetensors": b"x" * 300}
    write_tree(directory, contents)
    lines = sorted(
        f"{hashlib.sha256(data).hexdigest()} {name}" for name, data in contents.items()
    )
    (directory / "model.sig").write_text("\n".join(lines))
    files = tuple(
        SourceFile(
            f"{inside}{name}", directory / name, (directory / name).stat().st_size
        )
        for name in sorted([*contents, "model.sig"])
    )
    return SourceArtifact("hf-model", "org/m", "here", "", None, (), files)


async def told(
    artifact: SourceArtifact, check: ModelCheck
) -> tuple[list[str], list[str]]:
    listing = await with_model_signatures(Listing((artifact,), (), ()), check)
    (one,) = listing.artifacts
    assert listing.warnings == tuple(f"org/m: {text}" for text in one.warnings)
    return list(one.notes), list(one.warnings)


@pytest.mark.parametrize("inside", ["", f"snapshots/{'1' * 40}/"])
async def test_one_that_holds(tmp_path: Path, check: ModelCheck, inside: str) -> None:
    notes, warnings = await told(model(tmp_path / "m", inside=inside), check)
    assert warnings == []
    (note,) = notes
    assert note.startswith(f"{inside}model.sig: an OpenSSF model signature, verified")
    assert "maker.pub" in note


async def test_files_that_are_in_memory(tmp_path: Path, check: ModelCheck) -> None:
    signed = model(tmp_path / "m")
    files = tuple(
        replace(one, content=one.content.read_bytes())  # type: ignore[union-attr]
        for one in signed.files
    )
    notes, warnings = await told(replace(signed, files=files), check)
    assert (len(notes), warnings) == (1, [])


async def test_one_that_does_not_hold(tmp_path: Path, check: ModelCheck) -> None:
    signed = model(tmp_path / "m")
    (tmp_path / "m/config.json").write_bytes(b"{ }")
    notes, (warning,) = await told(signed, check)
    assert notes == []
    assert warning.startswith("model.sig: does NOT verify with maker.pub: Signature")
    assert warning.isprintable()


async def test_a_file_that_was_not_signed(tmp_path: Path, check: ModelCheck) -> None:
    signed = model(tmp_path / "m")
    more = SourceFile("more.py", b"import os", 9)
    _, warnings = await told(replace(signed, files=(*signed.files, more)), check)
    assert "does NOT verify" in warnings[0]


async def test_another_key(tmp_path: Path, check: ModelCheck) -> None:
    (tmp_path / "maker.pub").write_text("another")
    _, warnings = await told(model(tmp_path / "m"), check)
    assert "does NOT verify" in warnings[0]


async def test_no_tool_and_no_key(tmp_path: Path, check: ModelCheck) -> None:
    signed = model(tmp_path / "m")
    what = "model.sig: an OpenSSF model signature, not checked: "
    for tool, key, why in (
        (None, check.key, "model_signing is not installed"),
        (check.tool, None, "no key, see --model-key"),
    ):
        assert await told(signed, ModelCheck(tool, key)) == ([f"{what}{why}"], [])


async def test_a_tool_that_does_not_start(tmp_path: Path, check: ModelCheck) -> None:
    (tmp_path / "model_signing").chmod(0o600)
    _, (warning,) = await told(model(tmp_path / "m"), check)
    assert "Permission denied" in warning


async def test_a_model_without_a_signature(tmp_path: Path, check: ModelCheck) -> None:
    signed = model(tmp_path / "m")
    files = tuple(one for one in signed.files if one.path != "model.sig")
    assert await told(replace(signed, files=files), check) == ([], [])


def test_the_reviewer_reads_of_it(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed({"model.sig": b"{}", "config.json": b"{}"})
    assert b"model\\_signing is not installed" in (bundle / "approval.md").read_bytes()
    site.verify(bundle)
