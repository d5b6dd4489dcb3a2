"""What the far side is taken to hold, on whose word, and what that leaves out."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bundle.errors import (
    FormatError,
    IntegrityError,
    MissingError,
    TrustError,
    UsageError,
)
from bundle.format.receipt import StoreState
from bundle.limits import KIB
from bundle.packing.holdings import FarSide
from bundle.progress import Reporter
from bundle.wire import write_moment
from tests.bundles import Site, write_tree
from tests.deltas import SITE_KEY, Medium, Stream, chunks_of
from tests.trust.ceremony import NOW, founded, key


def content(seed: int, size: int = 600 * KIB) -> bytes:
    """Return bytes that share no chunk with those of another seed."""
    return random.Random(seed).randbytes(size)


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    return Stream(Site(tmp_path))


def tree(stream: Stream, *seeds: int) -> Path:
    """Write a tree with one file for each seed, and none besides; return it."""
    root = stream.site.path / "tree"
    for old in root.glob("*"):
        old.unlink()
    return write_tree(root, {f"{seed}.bin": content(seed) for seed in seeds})


def releases(stream: Stream, count: int) -> list[Medium]:
    """Pack full releases; each has a file of its own and those of all before."""
    return [stream.pack(tree(stream, *range(number + 1))) for number in range(count)]


class Heard(Reporter):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warned(self, message: str) -> None:
        self.warnings.append(message)


def check_covers(new: Medium, old: set[bytes]) -> None:
    """What a bundle carries and requires is what its recipes need, no more."""
    needed = chunks_of(new.recipes)
    assert new.required == needed & old
    assert new.carried == needed - old


def test_without_a_word_of_the_far_side_a_pack_is_full(stream: Stream) -> None:
    one, two = releases(stream, 2)
    assert one.carried < two.carried
    assert two.required == set()
    assert two.manifest.requires.count == 0


def test_a_receipt_leaves_out_what_it_names(stream: Stream) -> None:
    [one] = releases(stream, 1)
    two = stream.pack(tree(stream, 0, 1), far=FarSide(have=stream.receipt(one)))
    check_covers(two, one.carried)
    assert one.carried == two.required


def test_a_base_is_as_good_as_a_receipt(stream: Stream) -> None:
    [one] = releases(stream, 1)
    two = stream.pack(tree(stream, 0, 1), far=FarSide(base=one.path))
    check_covers(two, one.carried)


def test_a_base_needs_no_volumes(stream: Stream) -> None:
    [one] = releases(stream, 1)
    held = one.carried
    for volume in one.path.glob("vol-*"):
        volume.unlink()
    check_covers(stream.pack(tree(stream, 0, 1), far=FarSide(base=one.path)), held)


def test_a_base_that_is_a_delta_counts_with_what_it_requires(stream: Stream) -> None:
    [one] = releases(stream, 1)
    two = stream.pack(tree(stream, 0, 1), far=FarSide(base=one.path))
    three = stream.pack(tree(stream, 0, 1, 2), far=FarSide(base=two.path))
    check_covers(three, one.carried | two.carried)


def test_a_base_of_another_machine_will_do(tmp_path: Path) -> None:
    """Its envelopes and recipes are enough: the state need not know it."""
    there, here = Stream(Site(tmp_path / "a")), Stream(Site(tmp_path / "b"))
    base = there.pack(tree(there, 0))
    check_covers(here.pack(tree(here, 0, 1), far=FarSide(base=base.path)), base.carried)


def test_a_destination_counts_what_it_acknowledged(stream: Stream) -> None:
    [one] = releases(stream, 1)
    acknowledged = FarSide(have=stream.receipt(one), dest="lab")
    two = stream.pack(tree(stream, 0, 1), far=acknowledged)
    three = stream.pack(tree(stream, 0, 1, 2), far=FarSide(dest="lab"))
    check_covers(two, one.carried)
    check_covers(three, one.carried)
    assert two.carried <= three.carried


def test_what_was_sent_does_not_count_before_it_is_acknowledged(
    stream: Stream,
) -> None:
    heard = Heard()
    stream.pack(tree(stream, 0), far=FarSide(dest="lab"))
    two = stream.pack(tree(stream, 0, 1), far=FarSide(dest="lab"), reporter=heard)
    assert two.required == set()
    assert any("lab has acknowledged nothing" in text for text in heard.warnings)


def test_what_was_sent_counts_where_that_is_assumed(stream: Stream) -> None:
    far = FarSide(dest="lab", assume_delivered=True)
    one = stream.pack(tree(stream, 0), far=far)
    two = stream.pack(tree(stream, 0, 1), far=far)
    three = stream.pack(tree(stream, 0, 1, 2), far=far)
    assert one.required == set()
    check_covers(two, one.carried)
    check_covers(three, one.carried | two.carried)


def test_what_only_an_older_release_had_is_not_assumed_to_be_there_still(
    stream: Stream,
) -> None:
    far = FarSide(dest="lab", assume_delivered=True)
    one = stream.pack(tree(stream, 0), far=far)
    stream.pack(tree(stream, 1), far=far)
    three = stream.pack(tree(stream, 0), far=far)
    assert one.carried == three.carried


def test_one_destination_says_nothing_of_another(stream: Stream) -> None:
    [one] = releases(stream, 1)
    stream.pack(tree(stream, 0), far=FarSide(have=stream.receipt(one), dest="lab"))
    other = FarSide(dest="other", assume_delivered=True)
    assert stream.pack(tree(stream, 0), far=other).required == set()


@pytest.mark.parametrize("overlap", [0, 1, 2, 3])
def test_an_overlap_sends_the_last_releases_again(stream: Stream, overlap: int) -> None:
    media = releases(stream, 3)
    far = FarSide(have=stream.receipt(*media), overlap=overlap)
    new = stream.pack(tree(stream, 0, 1, 2, 3), far=far)
    counted = media[: len(media) - overlap]
    check_covers(new, set().union(*(one.carried for one in counted)))


@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_an_overlap_on_a_one_way_link_survives_lost_media(
    stream: Stream, overlap: int
) -> None:
    """With one more to come, any of the last ``overlap`` may have been lost."""
    far = FarSide(dest="lab", assume_delivered=True, overlap=overlap)
    media = [stream.pack(tree(stream, *range(n + 1)), far=far) for n in range(5)]
    for number, medium in enumerate(media):
        before = media[: max(0, number - overlap)]
        check_covers(medium, set().union(*(one.carried for one in before)))


def test_unchanged_recipes_are_not_carried(stream: Stream) -> None:
    other = write_tree(stream.site.path / "other", {"x.bin": content(9)})
    one = stream.pack(tree(stream, 0), other)
    two = stream.pack(tree(stream, 1), other, far=FarSide(base=one.path))
    names = {
        artifact.recipe.digest: artifact.name for artifact in two.release.artifacts
    }
    assert [names[digest] for digest in two.recipes] == ["tree"]
    assert two.required == set()
    assert "Not carried in this bundle" in two.approval


def test_what_is_kept_and_not_there_is_named(stream: Stream) -> None:
    """The medium that brought it was lost, and its source is not named again."""
    one = stream.pack(tree(stream, 0))
    far = FarSide(have=stream.receipt(one))
    for name, lost in (("first", []), ("second", ["first"])):
        heard = Heard()
        source = write_tree(stream.site.path / name, {f"{name}.bin": content(9)})
        stream.pack(source, far=far, add=True, reporter=heard)
        said = [text for text in heard.warnings if "name its source too" in text]
        assert [text.split()[1] for text in said] == lost


def test_what_did_not_change_at_all_carries_nothing(stream: Stream) -> None:
    [one] = releases(stream, 1)
    two = stream.pack(tree(stream, 0), far=FarSide(base=one.path))
    assert (two.carried, two.required, two.recipes) == (set(), set(), {})
    assert list(two.path.glob("vol-*")) == []


def test_the_same_delta_twice_has_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for jobs in (1, 3):
        stream = Stream(Site(tmp_path / f"{jobs}"))
        one = stream.pack(tree(stream, 0), jobs=jobs)
        two = stream.pack(tree(stream, 0, 1, 2), far=FarSide(base=one.path), jobs=jobs)
        names = ("recipes.bdr", "shards.bds", "vol-00001.bdv")
        made.append([(two.path / name).read_bytes() for name in names])
    assert made[0] == made[1]


def test_a_release_that_is_not_remembered_does_not_count(stream: Stream) -> None:
    [one] = releases(stream, 1)
    heard = Heard()
    for damaged in stream.site.sender.rglob("*.release"):
        damaged.write_bytes(b"{}")
    far = FarSide(have=stream.receipt(one))
    two = stream.pack(tree(stream, 0, 1), far=far, reporter=heard, after=one.path)
    assert two.required == set()
    assert any("is not remembered here" in text for text in heard.warnings)


@pytest.mark.parametrize("data", [b"", b"damaged"])
def test_a_recipe_that_is_damaged_does_not_count(stream: Stream, data: bytes) -> None:
    [one] = releases(stream, 1)
    for recipe in stream.site.sender.rglob("*.bdr"):
        recipe.write_bytes(data)
    two = stream.pack(tree(stream, 0, 1), far=FarSide(have=stream.receipt(one)))
    assert two.required == set()


# -- receipts that are not what they seem -------------------------------------------


def test_a_receipt_of_an_unnamed_site_is_used_with_a_warning(stream: Stream) -> None:
    [one] = releases(stream, 1)
    heard = Heard()
    far = FarSide(have=stream.receipt(one))
    two = stream.pack(tree(stream, 0, 1), far=far, reporter=heard)
    assert two.required
    assert any("site lab is not verified" in text for text in heard.warnings)


def named_site(tmp_path: Path) -> Stream:
    """Return a sender whose roles say whose key the site's is."""
    roles = {"packer": ([key(10)], 1), "site:lab": ([key(SITE_KEY)], 1)}
    files = founded(root_keys=[key(1)], root_threshold=1, roles=roles).files
    return Stream(Site(tmp_path, keys=files))


def test_a_receipt_of_a_named_site_is_verified(tmp_path: Path) -> None:
    stream = named_site(tmp_path)
    [one] = releases(stream, 1)
    heard = Heard()
    far = FarSide(have=stream.receipt(one))
    assert stream.pack(tree(stream, 0, 1), far=far, reporter=heard).required
    assert not any("lab" in text for text in heard.warnings)


def test_a_receipt_that_another_key_signed_is_refused(tmp_path: Path) -> None:
    stream = named_site(tmp_path)
    [one] = releases(stream, 1)
    forged = stream.receipt(one, signer=key(41))
    with pytest.raises(TrustError):
        stream.pack(tree(stream, 0, 1), far=FarSide(have=forged))
    assert sorted(path.name for path in stream.site.out.iterdir()) == [one.path.name]


def test_a_receipt_with_another_digest_does_not_count(stream: Stream) -> None:
    [one] = releases(stream, 1)
    forged = stream.receipt(one, digest="blake3:" + "ab" * 32)
    assert stream.pack(tree(stream, 0, 1), far=FarSide(have=forged)).required == set()


def test_a_receipt_of_no_release_of_this_stream_makes_it_full(stream: Stream) -> None:
    releases(stream, 1)
    heard = Heard()
    far = FarSide(have=stream.receipt())
    new = stream.pack(tree(stream, 0), far=far, reporter=heard)
    assert new.required == set()
    assert any("names no release of models-prod" in text for text in heard.warnings)


def test_an_older_receipt_counts_and_is_not_remembered(stream: Stream) -> None:
    one, two = releases(stream, 2)
    newer = stream.receipt(one, two, created=write_moment(NOW + 60))
    stale = stream.receipt(one)
    heard = Heard()
    stream.pack(tree(stream, 0), far=FarSide(have=newer, dest="lab"))
    far = FarSide(have=stale, dest="lab")
    old = stream.pack(tree(stream, 0, 1, 2), far=far, reporter=heard)
    check_covers(old, one.carried)
    assert any("has sent a newer receipt" in text for text in heard.warnings)
    new = stream.pack(tree(stream, 0, 1, 2), far=FarSide(dest="lab"))
    check_covers(new, two.carried)


def test_a_store_that_was_reset_takes_the_place_of_what_it_said(
    stream: Stream,
) -> None:
    one, two = releases(stream, 2)
    stream.pack(tree(stream, 0), far=FarSide(have=stream.receipt(one, two), dest="lab"))
    reset = stream.receipt(
        store=StoreState("00" * 16, 1), created=write_moment(NOW + 60)
    )
    full = stream.pack(tree(stream, 0, 1), far=FarSide(have=reset, dest="lab"))
    assert full.required == set()
    again = stream.pack(tree(stream, 0, 1), far=FarSide(dest="lab"))
    assert again.required == set()


def test_a_later_generation_beats_a_later_date(stream: Stream) -> None:
    one, two = releases(stream, 2)
    late = stream.receipt(one, two, created=write_moment(NOW + 60))
    collected = stream.receipt(one, store=StoreState("5e" * 16, 2))
    for receipt in (late, collected):
        stream.pack(tree(stream, 0), far=FarSide(have=receipt, dest="lab"))
    check_covers(stream.pack(tree(stream, 0, 1), far=FarSide(dest="lab")), one.carried)


def test_a_dry_run_remembers_nothing(stream: Stream) -> None:
    [one] = releases(stream, 1)
    far = FarSide(have=stream.receipt(one), dest="lab")
    report = stream.site.pack(tree(stream, 0, 1), far=far, dry_run=True)
    done = stream.pack(tree(stream, 0, 1), far=FarSide(dest="lab"))
    assert report.required > 0
    assert report.against == "release 1, by site lab"
    assert done.required == set()


def test_a_report_says_what_is_new_and_what_is_taken_for_granted(
    stream: Stream,
) -> None:
    [one] = releases(stream, 1)
    source = tree(stream, 0, 1)
    far = FarSide(have=stream.receipt(one))
    tried = stream.site.pack(source, far=far, dry_run=True)
    done = stream.site.pack(source, far=far)
    assert tried.new_bytes == done.new_bytes == 600 * KIB
    assert tried.reused_bytes == done.reused_bytes == 600 * KIB
    assert tried.required == done.required == len(one.carried)
    assert tried.volumes == done.volumes == 1


REFUSED = {
    "an overlap of nothing": (FarSide(overlap=1), UsageError),
    "an assumption about nobody": (FarSide(assume_delivered=True), UsageError),
    "a receipt that is not there": (FarSide(have=Path("nothing")), MissingError),
    "a receipt that is none": (FarSide(have=Path("tree/0.bin")), FormatError),
    "a release for a receipt": (FarSide(have=Path("out/x/release.json")), FormatError),
    "a base that is not there": (FarSide(base=Path("nothing")), MissingError),
    "a destination with a slash": (FarSide(dest="a/b"), FormatError),
}


@pytest.mark.parametrize(("far", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_is_refused(stream: Stream, far: FarSide, error: type[Exception]) -> None:
    [one] = releases(stream, 1)
    (stream.site.out / "x").symlink_to(one.path)
    at = {
        name: stream.site.path / value
        for name, value in (("have", far.have), ("base", far.base))
        if value is not None
    }
    changed = FarSide(
        at.get("have"), at.get("base"), far.dest, far.assume_delivered, far.overlap
    )
    with pytest.raises(error):
        stream.pack(tree(stream, 0), far=changed)
    assert not (stream.site.out / "models-prod-000002").exists()


@pytest.mark.parametrize(
    ("name", "error"),
    [("recipes.bdr", IntegrityError), ("bundle.json", FormatError)],
)
def test_a_damaged_base_is_refused(
    stream: Stream, name: str, error: type[Exception]
) -> None:
    [one] = releases(stream, 1)
    data = bytearray((one.path / name).read_bytes())
    data[len(data) // 2] ^= 0xFF
    (one.path / name).write_bytes(data)
    with pytest.raises((error, TrustError)):
        stream.pack(tree(stream, 0), far=FarSide(base=one.path))


def test_a_base_of_strangers_is_refused(tmp_path: Path) -> None:
    theirs = founded(
        root_keys=[key(5)], root_threshold=1, roles={"packer": ([key(11)], 1)}
    ).files
    stranger = Stream(Site(tmp_path / "a", keys=theirs, key=11))
    base = stranger.pack(tree(stranger, 0))
    mine = Stream(Site(tmp_path / "b"))
    with pytest.raises(TrustError):
        mine.pack(tree(mine, 0), far=FarSide(base=base.path))
