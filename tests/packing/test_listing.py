from __future__ import annotations

import pytest

from bundle.errors import SourceError
from bundle.packing.listing import gather
from bundle.source.base import HF_MODEL, SourceArtifact, SourceFile
from tests.meddling import Given, artifact, generated


async def test_artifacts_of_all_sources_stand_in_one_order() -> None:
    listing = await gather(
        [
            Given(generated({"b": b"22"}, name="zebra")),
            Given(artifact(SourceFile("x", b"1", 1), kind=HF_MODEL, name="org/model")),
            Given(generated({"a": b"333", "c": b""}, name="ant")),
        ]
    )
    names = [(one.kind, one.name) for one in listing.artifacts]
    assert names == [("hf-model", "org/model"), ("tree", "ant"), ("tree", "zebra")]
    assert (listing.total, listing.files) == (6, 4)


async def test_an_artifact_of_nothing_is_left_out_and_its_problems_are_not() -> None:
    listing = await gather(
        [Given(artifact(name="lost", problems=("lost: gone",)), generated({"a": b"1"}))]
    )
    assert [one.name for one in listing.artifacts] == ["given"]
    assert listing.problems == ("lost: gone",)


async def test_nothing_but_problems_tells_the_first() -> None:
    with pytest.raises(SourceError, match="nothing to pack") as caught:
        await gather([Given(artifact(problems=("lost: gone", "more: gone")))])
    assert caught.value.advice == "lost: gone"


async def test_warnings_say_which_artifact_they_are_about() -> None:
    risky = SourceArtifact(
        "tree", "risky", "given", "", None, ("a pickle",), (SourceFile("a", b"1", 1),)
    )
    listing = await gather([Given(risky)])
    assert listing.warnings == ("risky: a pickle",)


async def test_one_name_of_two_kinds_is_no_conflict() -> None:
    file = SourceFile("a", b"1", 1)
    one, other = artifact(file, name="x"), artifact(file, name="x", kind=HF_MODEL)
    assert len((await gather([Given(one, other)])).artifacts) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "A"), ("dir/a", "DIR/b"), ("a", "a/b")],
    ids=["files", "directories", "a file and a directory"],
)
async def test_trees_whose_paths_collide_are_refused(one: str, other: str) -> None:
    trees = Given(generated({one: b"1"}, "one"), generated({other: b"2"}, "other"))
    with pytest.raises(SourceError, match=r"rule 2\.4"):
        await gather([trees])
