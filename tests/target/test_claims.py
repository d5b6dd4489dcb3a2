import pytest

from bundle.errors import TargetError
from bundle.target.claims import Claims
from tests.target.sample import Sample, sample


def _tree(name: str, *paths: str, directories: tuple[str, ...] = ()) -> Sample:
    content = dict.fromkeys(paths, b"x")
    return sample("tree", name, content, directories=directories)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        pytest.param(_tree("one", "a"), _tree("two", "a"), id="the same path"),
        pytest.param(_tree("one", "a/b"), _tree("two", "a/B"), id="but for case"),
        pytest.param(_tree("one", "a"), _tree("two", "a/b"), id="a file above a file"),
        pytest.param(_tree("one", "a/b"), _tree("two", "a"), id="a file below a file"),
        pytest.param(_tree("one", "a/b"), _tree("two", "A/c"), id="directories"),
        pytest.param(
            _tree("one", "a"),
            _tree("two", "b", directories=("a",)),
            id="a file and an empty directory",
        ),
    ],
)
def test_two_artifacts_with_one_path_are_refused(one: Sample, two: Sample) -> None:
    claims = Claims("tree:/x")
    claims.add("one", one.recipe)
    with pytest.raises(TargetError, match="'one' and 'two' both have") as caught:
        claims.add("two", two.recipe)
    assert "--to" in caught.value.advice


def test_artifacts_may_share_directories() -> None:
    claims = Claims("tree:/x")
    for name, path in (("one", "a/b/1"), ("two", "a/b/2"), ("three", "a/3")):
        item = _tree(name, path, directories=("a/void",))
        claims.add(name, item.recipe)
        claims.add(name, item.recipe)


@pytest.mark.parametrize("path", [".bundle/x", ".Bundle", ".bundle/records/a/b"])
def test_the_directory_of_the_target_itself_is_kept(path: str) -> None:
    with pytest.raises(TargetError, match="keeps its own files"):
        Claims("tree:/x").add("one", _tree("one", path).recipe)
