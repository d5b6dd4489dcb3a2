from pathlib import Path

import pytest

from bundle.errors import UsageError
from bundle.format.release import KINDS
from bundle.target.hf_cache import HuggingFaceTarget
from bundle.target.locate import parse_target
from bundle.target.tree import TreeTarget


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("tree:/a", {"tree"}),
        ("hf-home:/a", {"hf-model", "hf-dataset", "hf-space", "hf-kernel"}),
        ("hf-cache:/a", {"hf-model", "hf-dataset", "hf-space", "hf-kernel"}),
        ("oci-layout:/a", {"oci-image", "oci-artifact", "helm-chart"}),
        ("oci-archive:/a/b.tar", {"oci-image", "oci-artifact", "helm-chart"}),
    ],
)
def test_a_target_takes_its_kinds(text: str, kinds: set[str]) -> None:
    target = parse_target(text)
    everything = {*KINDS, "oci"}
    assert {kind for kind in everything if target.takes(kind)} == kinds
    assert target.location == text


def test_a_relative_path_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    target = parse_target("tree:here")
    assert isinstance(target, TreeTarget)
    assert target.root == tmp_path / "here"


def test_the_two_schemes_differ_by_one_directory() -> None:
    home, cache = parse_target("hf-home:/a"), parse_target("hf-cache:/a")
    assert isinstance(home, HuggingFaceTarget)
    assert isinstance(cache, HuggingFaceTarget)
    assert home.hub == Path("/a/hub")
    assert cache.hub == Path("/a")
    assert isinstance(parse_target("tree:/a:b"), TreeTarget)


@pytest.mark.parametrize(
    "text",
    ["", "tree", "tree:", "/a", "s3:bucket", "HF-HOME:/a", "tree:a\0b", "hf-home:~/x"],
)
def test_anything_else_is_a_question_of_usage(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text)
    assert caught.value.advice
