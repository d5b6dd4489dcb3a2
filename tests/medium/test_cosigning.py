"""Several packers sign one bundle, one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bundle.approver import review
from bundle.errors import BundleError, TrustError
from bundle.format.release import Release
from bundle.medium.cosigning import cosign
from bundle.trust.envelope import MANIFEST_TYPE, parse, sign
from tests.bundles import Site, snapshot
from tests.trust.ceremony import founded, key

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.medium.cosigning import Cosigned


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Two of three packers have to sign."""
    people = founded(
        root_keys=[key(1)],
        root_threshold=1,
        roles={
            "packer": ([key(10), key(11), key(12)], 2),
            "relay": ([key(40), key(41)], 2),
        },
    )
    return Site(tmp_path, keys=people.files)


def more(site: Site, bundle: Path, number: int) -> Cosigned:
    return cosign([bundle], site.enrolled(), key(number), site.now)


def test_two_packers_are_enough_and_one_is_not(site: Site) -> None:
    bundle = site.packed()
    with pytest.raises(TrustError, match="1 of 2 needed"):
        site.unpack(bundle, trust=site.enrolled())
    before = snapshot(bundle)
    done = more(site, bundle, 11)
    assert (done.role, done.verification.missing) == ("packer", 0)
    assert isinstance(done.release, Release)
    changed = {
        name for name, entry in snapshot(bundle).items() if before[name] != entry
    }
    envelopes = {"release.json", "bundle.json"}
    assert changed == envelopes | {f"copy/{name}" for name in envelopes}
    site.unpack(bundle, trust=site.enrolled())
    site.verify(bundle, trust=site.enrolled())


def test_who_signs_twice_changes_nothing(site: Site) -> None:
    bundle = site.packed()
    before = snapshot(bundle)
    assert more(site, bundle, 10).verification.missing == 1
    assert snapshot(bundle) == before
    more(site, bundle, 12)
    before = snapshot(bundle)
    more(site, bundle, 12)
    assert snapshot(bundle) == before


def test_an_interrupted_signature_is_finished(site: Site) -> None:
    """The release has it, the bundle does not."""
    bundle = site.packed()
    unsigned = (bundle / "bundle.json").read_bytes()
    more(site, bundle, 11)
    (bundle / "bundle.json").write_bytes(unsigned)
    with pytest.raises(TrustError, match="1 of 2 needed"):
        site.unpack(bundle, trust=site.enrolled())
    more(site, bundle, 11)
    site.unpack(bundle, trust=site.enrolled())


@pytest.mark.parametrize("number", [1, 99], ids=["a root key", "a stranger"])
def test_a_key_without_a_part_signs_nothing(site: Site, number: int) -> None:
    bundle = site.packed()
    before = snapshot(bundle)
    with pytest.raises(TrustError, match=r"neither pack nor relay.*rule 22\.4\.5"):
        more(site, bundle, number)
    assert snapshot(bundle) == before


def test_nobody_signs_what_no_packer_has_begun(site: Site) -> None:
    bundle = site.packed()
    path = bundle / "release.json"
    good = parse(path.read_bytes(), limit=1 << 20)
    path.write_bytes(sign(good.payload, good.payload_type, [key(99)]))
    with pytest.raises(TrustError, match="0 of 1 needed"):
        more(site, bundle, 11)


def test_nobody_signs_an_envelope_that_describes_another_release(site: Site) -> None:
    one, other = site.packed(), site.packed({"file": b"other" * 100})
    (one / "release.json").write_bytes((other / "release.json").read_bytes())
    with pytest.raises(BundleError) as caught:
        more(site, one, 11)
    assert caught.value.exit_code == 11


def test_relays_sign_how_it_travels_and_not_what(site: Site) -> None:
    bundle = site.packed()
    more(site, bundle, 11)
    release = (bundle / "release.json").read_bytes()
    payload = parse((bundle / "bundle.json").read_bytes(), limit=1 << 20).payload
    (bundle / "bundle.json").write_bytes(sign(payload, MANIFEST_TYPE, [key(40)]))
    done = more(site, bundle, 41)
    assert (done.role, done.verification.missing) == ("relay", 0)
    assert (bundle / "release.json").read_bytes() == release
    site.unpack(bundle, trust=site.enrolled())


def test_the_document_stays_true_whoever_signed_since(site: Site) -> None:
    bundle = site.packed()
    more(site, bundle, 11)
    review(bundle, site.enrolled(), site.now)
