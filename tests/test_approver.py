"""A second person reviews: the document, what changed, and the signature."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bundle.approver import Review, approve, review
from bundle.digest import digest_of
from bundle.errors import BundleError, ExistsError, MissingError, TrustError
from bundle.format.approval import differing_line, render
from bundle.format.descriptor import APPROVAL, Descriptor
from bundle.format.manifest import Manifest
from bundle.limits import MAX_ENVELOPE
from bundle.state import audit
from bundle.trust.envelope import MANIFEST_TYPE, parse, sign
from bundle.trust.terms import Policy
from tests.bundles import FILES, Site, snapshot
from tests.trust.ceremony import founded, key

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.state.receiver import TrustChoice


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Releases of this site need one of two approvers."""
    organisation = founded(
        root_keys=[key(1)],
        root_threshold=1,
        roles={"packer": ([key(10)], 1), "approver": ([key(20), key(21)], 1)},
    )
    return Site(tmp_path, keys=organisation.files)


@pytest.fixture
def choice(site: Site) -> TrustChoice:
    return site.enrolled()


def seen(site: Site, bundle: Path, choice: TrustChoice) -> Review:
    return review(bundle, choice, site.now)


def agree(site: Site, bundle: Path, choice: TrustChoice, number: int = 20) -> Path:
    to = bundle / "sig"
    found = seen(site, bundle, choice)
    return approve(found, key(number), to, choice.state, site.now)


def rewrite(bundle: Path, document: bytes) -> None:
    """Put another document on the medium, signed as the packer signs."""
    data = (bundle / "bundle.json").read_bytes()
    manifest = Manifest.parse(parse(data, limit=MAX_ENVELOPE).payload)
    other = replace_manifest(manifest, Descriptor.of(APPROVAL, document))
    (bundle / "approval.md").write_bytes(document)
    envelope = sign(other.serialize(), MANIFEST_TYPE, [key(10)])
    (bundle / "bundle.json").write_bytes(envelope)
    (bundle / "copy/bundle.json").write_bytes(envelope)


def replace_manifest(manifest: Manifest, approval: Descriptor) -> Manifest:
    fields = {name: getattr(manifest, name) for name in manifest.__struct_fields__}
    size = manifest.bytes - manifest.approval.size + approval.size
    return Manifest(**{**fields, "approval": approval, "bytes": size})


def test_what_is_approved_is_taken_and_what_is_not_is_not(
    site: Site, choice: TrustChoice
) -> None:
    bundle = site.packed()
    with pytest.raises(TrustError, match="is not approved"):
        site.unpack(bundle, trust=choice)
    path = agree(site, bundle, choice)
    assert path == bundle / "sig" / f"{key(20).public.keyid}.json"
    site.unpack(bundle, trust=choice)
    site.verify(bundle, trust=choice)
    last = (choice.state / audit.NAME).read_text().splitlines()
    assert any('"event":"approved"' in line for line in last)


def test_an_approval_travels_by_itself(
    site: Site, choice: TrustChoice, tmp_path: Path
) -> None:
    bundle = site.packed()
    before = snapshot(bundle)
    found = seen(site, bundle, choice)
    approve(found, key(21), tmp_path / "post", choice.state, site.now)
    assert snapshot(bundle) == before
    with pytest.raises(TrustError, match="is not approved"):
        site.verify(bundle, trust=choice)
    site.unpack(bundle, trust=replace(choice, signatures=(tmp_path / "post",)))


def test_who_approves_twice_changes_nothing(site: Site, choice: TrustChoice) -> None:
    bundle = site.packed()
    agree(site, bundle, choice)
    before = snapshot(bundle)
    agree(site, bundle, choice)
    assert snapshot(bundle) == before


def test_a_file_of_another_release_is_not_replaced(
    site: Site, choice: TrustChoice, tmp_path: Path
) -> None:
    first, second = site.packed(), site.packed({"file": b"other"})
    post = tmp_path / "post"
    approve(seen(site, first, choice), key(20), post, choice.state, site.now)
    before = snapshot(post)
    found = seen(site, second, choice)
    with pytest.raises(ExistsError):
        approve(found, key(20), post, choice.state, site.now)
    assert snapshot(post) == before


@pytest.mark.parametrize("number", [10, 99], ids=["the packer", "a stranger"])
def test_who_is_no_approver_approves_nothing(
    site: Site, choice: TrustChoice, number: int
) -> None:
    bundle = site.packed()
    with pytest.raises(TrustError, match=r"rule 22\.7\.3"):
        agree(site, bundle, choice, number)
    assert not (bundle / "sig").exists()


# -- the document --------------------------------------------------------------


LIES = {
    "a line more": lambda text: text + b"\nAll fine.\n",
    "a line less": lambda text: text[: text.rstrip().rfind(b"\n") + 1],
    "a warning that is gone": lambda text: text.replace(b"pickles", b"tensors"),
    "another size": lambda text: text.replace(b"| 300 |", b"| 3 |"),
    "another digest of a file": lambda text: text.replace(b"`", b"'", 40),
    "another licence": lambda text: text.replace(b"not stated", b"MIT"),
    "nothing": lambda _: b"",
    "what changed, made up": lambda text: text.replace(
        b"## Warnings", b"## What changed\n\nNothing.\n\n## Warnings\n\nNone.\n", 1
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_document_that_lies_is_an_alarm(
    site: Site, choice: TrustChoice, lie: object
) -> None:
    bundle = site.packed({"weights.bin": b"x" * 300})
    text = (bundle / "approval.md").read_bytes()
    changed = lie(text)  # type: ignore[operator]
    assert changed != text
    rewrite(bundle, changed)
    with pytest.raises(TrustError, match=r"ALARM: line \d+.*rule 22\.7\.1"):
        seen(site, bundle, choice)


def test_a_document_that_was_merely_damaged_is_told_apart(
    site: Site, choice: TrustChoice
) -> None:
    bundle = site.packed()
    (bundle / "approval.md").write_bytes(b"")
    with pytest.raises(BundleError) as caught:
        seen(site, bundle, choice)
    assert caught.value.exit_code == 11


def test_what_it_says_of_changes_is_checked_where_the_one_before_was_approved(
    site: Site, choice: TrustChoice
) -> None:
    first = site.packed(FILES)
    second = site.packed({**FILES, "empty": b"filled"})
    assert seen(site, second, choice).unchecked
    agree(site, first, choice)
    found = seen(site, second, choice)
    assert not found.unchecked
    assert found.document == (second / "approval.md").read_bytes()
    (change,) = found.changes
    assert [file.path for file in change.files()] == ["empty"]
    text = (second / "approval.md").read_bytes()
    rewrite(second, text.replace(b"| changed | empty |", b"| added | empty |"))
    with pytest.raises(TrustError, match="ALARM"):
        seen(site, second, choice)


def test_the_first_of_a_stream_is_all_new(site: Site, choice: TrustChoice) -> None:
    found = seen(site, site.packed(), choice)
    assert (found.before, found.unchecked) == (None, False)
    assert [change.state for change in found.changes] == ["added"]


def test_recipes_that_do_not_travel_are_those_approved_before(
    site: Site, choice: TrustChoice, tmp_path: Path
) -> None:
    first = site.packed({"a": b"a" * 300})
    again = Site(tmp_path / "again", keys=site.keys, now=site.now)
    lean = site.packed({"a": b"a" * 300}, far=_knows(first), out=tmp_path / "lean")
    with pytest.raises(MissingError, match="its recipe is neither"):
        review(lean, again.enrolled(), site.now)
    agree(site, first, choice)
    assert [one.state for one in seen(site, lean, choice).changes] == ["same"]


def _knows(bundle: Path) -> object:
    from bundle.packing.holdings import FarSide  # noqa: PLC0415 - one test needs it

    return FarSide(base=bundle)


def test_only_the_newest_approval_of_a_stream_is_remembered(
    site: Site, choice: TrustChoice
) -> None:
    for number in range(3):
        agree(site, site.packed({"file": b"%d" % number * 300}), choice)
    kept = sorted(path.name for path in (choice.state / "approved").glob("*/*"))
    assert len([name for name in kept if name.endswith(".release")]) == 1
    assert len([name for name in kept if name.endswith(".bdr")]) == 1


# -- policies ------------------------------------------------------------------


def test_terms_may_ask_for_more_approvers_than_the_roles(
    site: Site, choice: TrustChoice
) -> None:
    bundle = site.packed()
    strict = replace(choice, policy=Policy(approvers=2))
    agree(site, bundle, choice, 20)
    with pytest.raises(TrustError, match=r"approved by 1, 2 are needed.*25\.2\.5"):
        site.unpack(bundle, trust=strict)
    agree(site, bundle, choice, 21)
    site.unpack(bundle, trust=strict)


def test_one_approver_in_two_places_counts_once(
    site: Site, choice: TrustChoice, tmp_path: Path
) -> None:
    bundle = site.packed()
    agree(site, bundle, choice)
    found = seen(site, bundle, choice)
    approve(found, key(20), tmp_path / "post", choice.state, site.now)
    both = replace(choice, policy=Policy(approvers=2), signatures=(tmp_path / "post",))
    with pytest.raises(TrustError, match="approved by 1, 2 are needed"):
        site.unpack(bundle, trust=both)


def test_a_document_that_tells_no_changes_is_as_good(
    site: Site, choice: TrustChoice
) -> None:
    """So is the one of a bundle that answers a want, or of one that was relayed."""
    agree(site, site.packed(), choice)
    bundle = site.packed({"file": b"new" * 100})
    found = seen(site, bundle, choice)
    signers = [key(10).public.keyid]
    plain = render(found.opened.release, found.opened.digest, {}, signers)
    rewrite(bundle, plain)
    seen(site, bundle, choice)
    release = found.opened.release
    assert digest_of(found.payload) == found.opened.digest
    arguments = (release, found.opened.digest, found.recipes, signers)
    assert differing_line(plain, *arguments) is None
    assert differing_line(plain + b"x", *arguments) == plain.count(b"\n") + 1
