"""Names of repositories, from directories and from users."""

from __future__ import annotations

import os

import pytest

from bundle.errors import UsageError
from bundle.source.hf_names import RepositoryName, Selector, parse_selector

DIRECTORIES = {
    "models--org--name": RepositoryName("hf-model", "org/name"),
    "models--gpt2": RepositoryName("hf-model", "gpt2"),
    "datasets--org--name": RepositoryName("hf-dataset", "org/name"),
    "spaces--org--name.x_y-z": RepositoryName("hf-space", "org/name.x_y-z"),
    "kernels--org--name": RepositoryName("hf-kernel", "org/name"),
}


@pytest.mark.parametrize(("text", "name"), DIRECTORIES.items(), ids=DIRECTORIES.keys())
def test_a_directory_names_a_repository(text: str, name: RepositoryName) -> None:
    assert RepositoryName.of_directory(text) == name
    assert name.valid


@pytest.mark.parametrize(
    "text",
    ["blobs", ".locks", "models", "version.txt", "models-x", "files--a--b", "--a--b"],
)
def test_other_directories_are_none(text: str) -> None:
    assert RepositoryName.of_directory(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "models--a--b--c",
        "models--",
        "models----a",
        "models--a--",
        "models--a b",
        "models--..--x",
        "models--a..b",
        "models--a/b--c",
        f"models--{'x' * 97}",
        os.fsdecode(b"models--a--\xff"),
    ],
)
def test_a_directory_that_only_looks_like_one_is_not_valid(text: str) -> None:
    name = RepositoryName.of_directory(text)
    assert name is not None
    assert not name.valid
    assert str(name).isprintable()


SELECTORS = {
    "org/name": Selector(RepositoryName("hf-model", "org/name")),
    "gpt2": Selector(RepositoryName("hf-model", "gpt2")),
    "models/gpt2": Selector(RepositoryName("hf-model", "gpt2")),
    "models/org/name": Selector(RepositoryName("hf-model", "org/name")),
    "datasets/squad": Selector(RepositoryName("hf-dataset", "squad")),
    "datasets/org/name@main": Selector(
        RepositoryName("hf-dataset", "org/name"), "main"
    ),
    "spaces/org/name": Selector(RepositoryName("hf-space", "org/name")),
    "kernels/org/name@v1": Selector(RepositoryName("hf-kernel", "org/name"), "v1"),
    "org/name@refs/pr/1": Selector(RepositoryName("hf-model", "org/name"), "refs/pr/1"),
    "org/name@a@b": Selector(RepositoryName("hf-model", "org/name"), "a@b"),
}


@pytest.mark.parametrize(("text", "selector"), SELECTORS.items(), ids=SELECTORS.keys())
def test_a_user_names_a_repository(text: str, selector: Selector) -> None:
    assert parse_selector(text) == selector
    assert parse_selector(str(selector)) == selector


@pytest.mark.parametrize(
    "text",
    ["", "/", "a/b/c", "org/", "/name", "a b", "org/na--me", "org/..", "@main"],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no repository") as caught:
        parse_selector(text)
    assert "org/name" in caught.value.advice


@pytest.mark.parametrize("revision", ["", "../main", "a//b", "a\\b", "main\n"])
def test_what_is_no_revision_is_refused(revision: str) -> None:
    with pytest.raises(UsageError, match="no revision is called so"):
        parse_selector(f"org/name@{revision}")
