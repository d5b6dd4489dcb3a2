"""Images from the command line: out of one registry, into another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.layouts import Layout, noise
from tests.registry.fake import Fake, faking, problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiohttp import web

    from bundle.oci.descriptors import Descriptor
    from tests.cli.shell import Shell
    from tests.registry.fake import Answer


@pytest.fixture
def far() -> Iterator[Fake]:
    """The registry behind the gap."""
    with faking() as running:
        yield running


@pytest.fixture
def near() -> Iterator[Fake]:
    """The registry with internet."""
    with faking() as running:
        yield running


@pytest.fixture
def image(near: Fake, tmp_path: Path) -> Descriptor:
    """An image at the registry with internet, as ``superlinked/sie-server:v0.3.1``."""
    layout = Layout(tmp_path / "layout")
    made = layout.image(layout.layer({"app": noise(9000)}))
    name = "superlinked/sie-server"
    for path in (layout.root / "blobs/sha256").iterdir():
        near.add(name, path.read_bytes())
    data = layout.path(made).read_bytes()
    near.put(name, "v0.3.1", made.media_type, data)
    return made


def carried(sender: Shell, near: Fake) -> Path:
    source = f"docker://{near.host}/superlinked/sie-server:v0.3.1"
    sender.ok("pack", source, "--plain-http")
    return sender.home / "out/docs-000001"


def test_an_image_goes_where_a_rule_says(
    sender: Shell, receiver: Shell, near: Fake, far: Fake, image: Descriptor
) -> None:
    bundle = carried(sender, near)
    to = ("--to", f"docker://{far.host}", "--plain-http")
    rule = f"{near.host}/superlinked=sie"
    ran = receiver.ok("unpack", bundle, *to, "--map", rule, "--json")
    (placed,) = ran.of("placed")
    assert placed["target"] == f"docker://{far.host}"
    assert placed["name"] == f"{near.host}/superlinked/sie-server:v0.3.1"
    assert ("sie/sie-server", image.digest) in far.manifests
    assert ("sie/sie-server", "v0.3.1") in far.manifests
    again = receiver.ok("unpack", bundle, *to, "--map", rule, "--json")
    assert again.result["writtenFiles"] == 0
    assert again.result["failed"] == []


def test_plain_http_is_warned_of_every_time(
    sender: Shell, receiver: Shell, near: Fake, far: Fake, image: Descriptor
) -> None:
    del image
    source = f"docker://{near.host}/superlinked/sie-server:v0.3.1"
    ran = sender.ok("pack", source, "--plain-http")
    assert f"{source}: without TLS, as --plain-http asks" in ran.err
    bundle = sender.home / "out/docs-000001"
    ran = receiver.ok(
        "unpack", bundle, "--to", f"docker://{far.host}", BUNDLE_PLAIN_HTTP="1"
    )
    assert "without TLS, as --plain-http asks" in ran.err


def test_without_plain_http_nothing_is_sent_in_the_open(
    sender: Shell, near: Fake, image: Descriptor
) -> None:
    del image
    ran = sender("pack", f"docker://{near.host}/superlinked/sie-server:v0.3.1")
    assert ran.code == 16
    assert "--plain-http" in ran.err
    assert not near.asked


def test_what_a_registry_refuses_is_listed_with_exit_code_20(
    sender: Shell, receiver: Shell, near: Fake, far: Fake, image: Descriptor
) -> None:
    del image

    async def denies(request: web.Request) -> Answer:
        return problem(403, "DENIED") if request.method == "POST" else None

    far.hook = denies
    bundle = carried(sender, near)
    to = ("--to", f"docker://{far.host}", "--plain-http")
    ran = receiver("unpack", bundle, *to, "--json")
    assert ran.code == 20
    (line,) = ran.result["failed"]
    assert "403, DENIED" in line
    assert ran.error["left"] == [line]
    assert "run the same command again" in ran.error["advice"]
    far.hook = None
    assert receiver("unpack", bundle, *to, "--json").result["failed"] == []


def test_a_tag_that_stays_is_warned_of(
    sender: Shell, receiver: Shell, near: Fake, far: Fake, image: Descriptor
) -> None:
    del image
    other = b'{"schemaVersion":2}'
    far.put("superlinked/sie-server", "v0.3.1", "a/b", other)
    to = ("--to", f"docker://{far.host}", "--plain-http", "--on-existing-tag", "skip")
    ran = receiver.ok("unpack", carried(sender, near), *to)
    assert "v0.3.1: is there, and names something else" in ran.err
    assert far.manifests["superlinked/sie-server", "v0.3.1"][1] == other


def test_doctor_looks_at_a_registry(sender: Shell, far: Fake) -> None:
    ran = sender.ok("doctor", f"docker://{far.host}", "--plain-http", "--json")
    assert ran.result["loads"]
    assert all(one["severity"] == "note" for one in ran.of("finding"))
    ran = sender.ok("doctor", f"docker://{far.host}", "--plain-http", "--write")
    assert "lets us push into bundle-doctor" in ran.out


def test_a_differing_side_may_be_a_registry(
    sender: Shell, receiver: Shell, near: Fake, far: Fake, image: Descriptor
) -> None:
    del image
    bundle = carried(sender, near)
    to = f"docker://{far.host}"
    receiver.ok("unpack", bundle, "--to", to, "--plain-http")
    ran = receiver.ok("diff", bundle, to, "--json")
    assert ran.result["artifacts"] == {
        "added": 0,
        "removed": 0,
        "changed": 0,
        "same": 1,
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--map", "nonsense"), "not of the form FROM=TO"),
        (("--on-existing-tag", "burn"), "is not overwrite, skip or fail"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    receiver: Shell, packed: Path, words: tuple[str, ...], expected: str
) -> None:
    ran = receiver("unpack", packed, "--to", "docker://registry.example.com", *words)
    assert ran.code == 2
    assert expected in ran.err
