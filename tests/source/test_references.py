"""What a model needs from other repositories is missed before it is carried."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from bundle.source.base import HF_DATASET, HF_MODEL, TREE, SourceArtifact, SourceFile
from bundle.source.references import reference_warnings

if TYPE_CHECKING:
    from pathlib import Path

ROOT = f"snapshots/{'1' * 40}/"


def artifact(
    files: dict[str, object], *, name: str = "org/model", kind: str = HF_MODEL
) -> SourceArtifact:
    data = {
        path: one if isinstance(one, bytes) else json.dumps(one).encode()
        for path, one in files.items()
    }
    return SourceArtifact(
        kind=kind,
        name=name,
        source="generated",
        revision="",
        licence=None,
        warnings=(),
        files=tuple(SourceFile(ROOT + path, one, 1) for path, one in data.items()),
    )


def warnings(files: dict[str, object], *others: SourceArtifact) -> tuple[str, ...]:
    return asyncio.run(reference_warnings([artifact(files), *others]))[0]


NEEDS = {
    "code for a configuration": (
        "config.json",
        {"auto_map": {"AutoConfig": "org/code--configuration.Config", "AutoModel": 1}},
    ),
    "code in nested lists": (
        "tokenizer_config.json",
        {"auto_map": {"AutoTokenizer": [None, "org/code--tokenization.Fast"]}},
    ),
    "code of a processor": (
        "processor_config.json",
        {"auto_map": {"AutoProcessor": "org/code--processing.Processor"}},
    ),
    "code in a directory of the repository": (
        "1_Pooling/config.json",
        {"auto_map": {"x": "org/code--sub/module.Class"}},
    ),
    "code of a chain of modules": (
        "modules.json",
        [{"idx": 0, "type": "org/code--custom.Transformer"}, {"type": "a.b"}, 3],
    ),
    "the model that an adapter adapts": (
        "adapter_config.json",
        {"base_model_name_or_path": "org/code", "peft_type": "LORA"},
    ),
}


@pytest.mark.parametrize(("path", "document"), NEEDS.values(), ids=NEEDS.keys())
def test_a_missing_repository_is_named_once(path: str, document: object) -> None:
    [warning] = warnings({path: document})
    assert path.rpartition("/")[2] in warning
    assert "org/code, which is not in this pack" in warning


@pytest.mark.parametrize(("path", "document"), NEEDS.values(), ids=NEEDS.keys())
def test_a_repository_in_the_pack_is_not_missing(path: str, document: object) -> None:
    assert warnings({path: document}, artifact({"x": 1}, name="org/code")) == ()


@pytest.mark.parametrize(("path", "document"), NEEDS.values(), ids=NEEDS.keys())
def test_a_dataset_of_that_name_does_not_help(path: str, document: object) -> None:
    other = artifact({"x": 1}, name="org/code", kind=HF_DATASET)
    assert len(warnings({path: document}, other)) == 1


def test_what_the_release_holds_already_is_not_missing() -> None:
    adapter = artifact({"adapter_config.json": {"base_model_name_or_path": "gpt2"}})
    assert asyncio.run(reference_warnings([adapter], {"gpt2"})) == [()]
    [[warning]] = asyncio.run(reference_warnings([adapter]))
    assert warning == (
        "adapter_config.json adapts the model gpt2, which is not in this pack"
    )


NO_NEEDS = {
    "code of its own": ("config.json", {"auto_map": {"AutoModel": "modeling.Model"}}),
    "no code": ("config.json", {"architectures": ["BertModel"]}),
    "a base on somebody's disk": (
        "adapter_config.json",
        {"base_model_name_or_path": "/home/a/model"},
    ),
    "a base in a directory": (
        "adapter_config.json",
        {"base_model_name_or_path": "./out/x"},
    ),
    "no base": ("adapter_config.json", {"base_model_name_or_path": None}),
    "a list for an adapter": ("adapter_config.json", [1]),
    "a number for a configuration": ("config.json", 1.5),
    "no JSON": ("config.json", b"{"),
    "no text": ("config.json", b"\xff"),
    "nested too deep to parse": ("config.json", b"[" * 100_000),
    "another file": ("other.json", {"auto_map": {"x": "org/code--a.B"}}),
}


@pytest.mark.parametrize(("path", "document"), NO_NEEDS.values(), ids=NO_NEEDS.keys())
def test_nothing_is_missed_without_a_name(path: str, document: object) -> None:
    assert warnings({path: document}) == ()


def test_a_tree_is_not_looked_into() -> None:
    tree = artifact(
        {"config.json": {"auto_map": {"x": "org/code--a.B"}}}, kind=TREE, name="code"
    )
    assert asyncio.run(reference_warnings([tree])) == [()]


def test_files_on_disk_are_read_and_lost_ones_left_to_the_packer(
    tmp_path: Path,
) -> None:
    place = tmp_path / "config.json"
    place.write_text('{"auto_map": {"x": "org/code--a.B"}}')
    one = SourceFile(f"{ROOT}config.json", place, place.stat().st_size)
    gone = SourceFile(f"{ROOT}sub/config.json", tmp_path / "gone", 1)
    huge = SourceFile(f"{ROOT}big/config.json", place, 1 << 40)
    model = artifact({})
    model = SourceArtifact(
        model.kind, model.name, "", "", None, (), files=(one, gone, huge)
    )
    [[warning]] = asyncio.run(reference_warnings([model]))
    assert warning.startswith("config.json runs code of org/code")
