"""What a setting of parity claims to survive is survived, byte by byte; no more.

One bundle is packed, with parity in three groups, and copied for each trial.
"""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING, Final
from unittest import mock

import pytest

from bundle.errors import (
    ExistsError,
    FormatError,
    IntegrityError,
    MissingError,
    SpaceError,
    TrustError,
)
from bundle.format.manifest import Manifest
from bundle.format.shards import shard_count
from bundle.format.stripes import Stripes
from bundle.limits import MIB
from bundle.medium.parity import ParityReport, add_parity, write_parity
from bundle.medium.repair import Survey, survey
from bundle.medium.restore import (
    parity_sentences,
    restore_in_place,
    restore_into,
)
from bundle.medium.salvage import salvage
from bundle.medium.scattered import Payload
from bundle.progress import Reporter
from bundle.state.receiver import TrustChoice
from bundle.trust.envelope import parse
from tests.bundles import Site, no_flushing, snapshot
from tests.trust.ceremony import founded, key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUPS: Final = 3
PARITY: Final = 2
SMALL: Final = (
    "release.json",
    "bundle.json",
    "shards.bds",
    "approval.md",
    "copy/release.json",
    "copy/bundle.json",
    "trust/1.root.json",
    "trust/1.roles.json",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose bundle has three volumes, and parity in files of two shards."""
    site = Site(tmp_path_factory.mktemp("repair"))
    noise = random.Random(1)
    files = {f"part-{number}": noise.randbytes(MIB - 400) for number in range(6)}
    with no_flushing(), mock.patch("bundle.medium.spread.MIN_VOLUME", MIB):
        bundle = site.packed(files, volume_size=int(2.2 * MIB))
        protect(site, bundle)
        yield site


@pytest.fixture
def bundle(site: Site, tmp_path: Path) -> Path:
    """A copy of the bundle to damage."""
    return shutil.copytree(original(site), tmp_path / "copy")


def protect(site: Site, bundle: Path) -> None:
    """Write parity in files of two shards; none may be there."""
    found = looked_at(site, bundle)
    write_parity(
        found.payload,
        Stripes(len(found.payload), GROUPS, PARITY),
        found.salvaged.files,
        bundle,
        Reporter(),
        per_file=2,
    )


def add(site: Site, bundle: Path, percent: int) -> ParityReport:
    """Add parity as the command does, which looks only at the small files first."""
    found = salvage([bundle], site.stateless, site.now)
    payload = Payload([bundle], found.manifest, found.shards)
    return add_parity(payload, percent, found.files, bundle, Reporter())


def original(site: Site) -> Path:
    return next(site.out.iterdir())


def manifest_of(bundle: Path) -> Manifest:
    data = (bundle / "bundle.json").read_bytes()
    return Manifest.parse(parse(data, limit=1 << 20).payload)


def shards_of(manifest: Manifest) -> int:
    sizes = [manifest.recipes.size, *(one.size for one in manifest.volumes)]
    return sum(map(shard_count, sizes))


def looked_at(site: Site, *bundles: Path) -> Survey:
    return survey(bundles, site.stateless, site.now, Reporter())


def assert_repaired(site: Site, bundle: Path, out: Path) -> Survey:
    """Repair into a new directory and in place; both are the original."""
    whole = snapshot(original(site))
    before = snapshot(bundle)
    found = looked_at(site, bundle)
    again = restore_into(found, out, Reporter())
    assert snapshot(again) == whole
    assert snapshot(bundle) == before
    restore_in_place(found, Reporter())
    assert snapshot(bundle) == whole
    clean = looked_at(site, bundle)
    assert (clean.corrections, clean.damaged, clean.stale) == ((), (), False)
    shutil.rmtree(again)
    return found


def flip(path: Path, offset: int, size: int = 1) -> None:
    data = bytearray(path.read_bytes())
    for place in range(offset, min(offset + size, len(data))):
        data[place] ^= 0x55
    path.write_bytes(data)


class Places:
    """Every shard of the bundle and of its parity, and ways to damage it."""

    def __init__(self, bundle: Path) -> None:
        manifest = manifest_of(bundle)
        names = ["recipes.bdr", *(one.name for one in manifest.volumes)]
        self.bundle = bundle
        self.stripes = Stripes(shards_of(manifest), GROUPS, PARITY)
        self.payload = [
            (bundle / name, number * MIB, name)
            for name in names
            for number in range(shard_count((bundle / name).stat().st_size))
        ]
        self.volumes = [bundle / name for name in names[1:]]
        self.parity = []
        for path in sorted(bundle.glob("par-*")):
            count = path.stat().st_size // MIB
            front = (path.stat().st_size - count * MIB) // 2
            self.parity += [(path, front + number * MIB) for number in range(count)]
        assert len(self.parity) == self.stripes.total

    def damage(self, shard: int, dice: random.Random) -> None:
        """Damage one shard of the payload."""
        path, offset, _ = self.payload[shard]
        size = min(path.stat().st_size - offset, MIB)
        if size > 0:
            place = offset + dice.randrange(size)
            flip(path, place, dice.choice((1, 4096, offset + size - place)))

    def damage_parity(self, position: int, dice: random.Random) -> None:
        path, offset = self.parity[position]
        flip(path, offset + dice.randrange(MIB), 1)


def one_of_each_group(places: Places, dice: random.Random) -> None:
    """As many losses in each group as it has parity, of the payload or of parity."""
    for group in range(GROUPS):
        losses = [*places.stripes.members(group)]
        rows = [-1 - one for one in places.stripes.positions(group)]
        for number in dice.sample(losses + rows, PARITY):
            if number < 0:
                places.damage_parity(-1 - number, dice)
            else:
                places.damage(number, dice)


def a_lost_volume(places: Places, dice: random.Random) -> None:
    dice.choice(places.volumes).unlink()


def a_torn_tail(places: Places, dice: random.Random) -> None:
    path = dice.choice(places.volumes)
    with path.open("r+b") as file:
        file.truncate(dice.randrange(path.stat().st_size))


def a_run(places: Places, dice: random.Random) -> None:
    run = places.stripes.run
    start = dice.randrange(places.stripes.shards - run + 1)
    for shard in range(start, start + run):
        places.damage(shard, dice)


def lost_parity(places: Places, dice: random.Random) -> None:
    """One file of parity, and the front of another: copies are left at its back."""
    lost, torn = dice.sample(sorted({path for path, _ in places.parity}), 2)
    lost.unlink()
    flip(torn, 10, 400)


def bytes_at_an_end(places: Places, dice: random.Random) -> None:
    path = places.bundle / dice.choice(places.payload)[2]
    path.write_bytes(path.read_bytes() + dice.randbytes(dice.randrange(1, 5000)))


DAMAGES = (
    one_of_each_group,
    a_lost_volume,
    a_torn_tail,
    a_run,
    lost_parity,
    bytes_at_an_end,
)


def damage_at_random(bundle: Path, dice: random.Random) -> None:
    """Damage the payload as far as is claimed, and any small file that has copies."""
    places = Places(bundle)
    dice.choice(DAMAGES)(places, dice)
    for name in dice.sample(SMALL, dice.choice((0, 0, 1, 2, len(SMALL)))):
        path = bundle / name
        match dice.randrange(3):
            case 0:
                path.unlink()
            case 1:
                flip(path, dice.randrange(path.stat().st_size))
            case _:
                path.write_bytes(path.read_bytes()[: dice.randrange(20)])


def run_trials(site: Site, tmp_path: Path, seeds: range) -> None:
    whole = snapshot(original(site))
    for seed in seeds:
        dice = random.Random(seed)
        copy = shutil.copytree(original(site), tmp_path / "trial")
        damage_at_random(copy, dice)
        if seed % 5 == 0:
            assert_repaired(site, copy, tmp_path / "out")
        else:
            restore_in_place(looked_at(site, copy), Reporter())
            assert snapshot(copy) == whole, seed
        shutil.rmtree(copy)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("first", range(0, 100, 10))
def test_damage_within_the_claim_is_repaired_bit_by_bit(
    site: Site, tmp_path: Path, first: int
) -> None:
    run_trials(site, tmp_path, range(first, first + 10))


@pytest.mark.soak
@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", range(100, 5000, 50))
def test_much_damage_within_the_claim(site: Site, tmp_path: Path, first: int) -> None:
    run_trials(site, tmp_path, range(first, first + 50))


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_each_kind_of_damage(
    site: Site, bundle: Path, tmp_path: Path, damage: object
) -> None:
    assert callable(damage)
    damage(Places(bundle), random.Random(7))
    assert_repaired(site, bundle, tmp_path / "out")


@pytest.mark.parametrize("seed", range(8))
def test_one_loss_beyond_the_claim_is_refused_and_named(
    site: Site, bundle: Path, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    places = Places(bundle)
    group = dice.randrange(GROUPS)
    lost = dice.sample(list(places.stripes.members(group)), PARITY)
    for shard in lost:
        places.damage(shard, dice)
    places.damage_parity(dice.choice(list(places.stripes.positions(group))), dice)
    other = next(one for one in range(places.stripes.shards) if one % GROUPS != group)
    places.damage(other, dice)
    before = snapshot(tmp_path)
    with pytest.raises(IntegrityError) as caught:
        looked_at(site, bundle)
    named = [line.split(",")[0] for line in caught.value.left]
    assert set(named) == {places.payload[shard][2] for shard in lost}
    assert "2 of 3 damaged MiB cannot be made good" in str(caught.value)
    assert caught.value.advice
    assert snapshot(tmp_path) == before


def test_two_damaged_copies_make_one_good_bundle_without_any_parity(
    site: Site, bundle: Path, tmp_path: Path
) -> None:
    for path in bundle.glob("par-*"):
        path.unlink()
    other = shutil.copytree(bundle, tmp_path / "other")
    whole = snapshot(bundle)
    flip(bundle / "vol-00001.bdv", 0, 3 * MIB)
    (bundle / "bundle.json").write_bytes(b"")
    (bundle / "copy/bundle.json").unlink()
    flip(other / "vol-00002.bdv", MIB + 5)
    flip(other / "approval.md", 3)
    with pytest.raises((IntegrityError, MissingError)):
        looked_at(site, bundle)
    with pytest.raises(IntegrityError, match="copy of approval"):
        looked_at(site, other)
    found = looked_at(site, bundle, other)
    assert snapshot(restore_into(found, tmp_path / "out", Reporter())) == whole
    restore_in_place(found, Reporter())
    assert snapshot(bundle) == whole


def test_a_bundle_that_is_spread_is_repaired_where_its_files_are(
    site: Site, bundle: Path, tmp_path: Path
) -> None:
    whole = snapshot(bundle)
    other = tmp_path / "other"
    shutil.copytree(
        bundle, other, ignore=shutil.ignore_patterns("vol-00001.bdv", "par-*")
    )
    (bundle / "vol-00002.bdv").unlink()
    assert looked_at(site, bundle, other).corrections == ()
    flip(other / "vol-00002.bdv", 17)
    flip(other / "bundle.json", 17)
    found = looked_at(site, bundle, other)
    assert {one.name for one in found.corrections} == {"vol-00002.bdv", "bundle.json"}
    assert snapshot(restore_into(found, tmp_path / "out", Reporter())) == whole
    restore_in_place(found, Reporter())
    assert looked_at(site, bundle, other).corrections == ()
    assert not (bundle / "vol-00002.bdv").exists()


def test_another_bundle_beside_it_is_refused(
    site: Site, bundle: Path, tmp_path: Path
) -> None:
    other = Site(tmp_path / "other").packed()
    with pytest.raises(FormatError, match="another bundle"):
        looked_at(site, bundle, other)


def test_parity_files_alone_bring_back_every_small_file(
    site: Site, bundle: Path, tmp_path: Path
) -> None:
    for name in SMALL:
        (bundle / name).unlink()
    found = assert_repaired(site, bundle, tmp_path / "out")
    assert {one.name for one in found.corrections} == set(SMALL)
    assert {one.source for one in found.corrections} == {"copy"}


def test_corrections_say_what_was_wrong_and_where(site: Site, bundle: Path) -> None:
    flip(bundle / "vol-00002.bdv", 5)
    (bundle / "copy/bundle.json").unlink()
    with (bundle / "recipes.bdr").open("ab") as file:
        file.write(b"more")
    found = looked_at(site, bundle)
    assert {(one.name, one.offset, one.source) for one in found.corrections} == {
        ("vol-00002.bdv", 0, "parity"),
        ("copy/bundle.json", 0, "copy"),
        ("recipes.bdr", (bundle / "recipes.bdr").stat().st_size - 4, "length"),
    }
    assert parity_sentences(found)[0].startswith("any ")


def test_nothing_is_found_in_a_bundle_that_is_whole(
    site: Site, bundle: Path, tmp_path: Path
) -> None:
    assert_repaired(site, bundle, tmp_path / "out")


def test_a_parity_file_that_lies_does_no_harm(
    site: Site, bundle: Path, tmp_path: Path
) -> None:
    """Its digests are its own; what comes out of it has to be what was signed."""
    for path in bundle.glob("par-*"):
        path.unlink()
    wrong = mock.patch(
        "bundle.codec.erasure.FastEncoder.encode",
        lambda self, members: members[: self._parity] ^ 1,
    )
    with wrong:
        protect(site, bundle)
    flip(bundle / "vol-00001.bdv", 100)
    before = snapshot(bundle)
    found = looked_at(site, bundle)
    for restore in (
        lambda: restore_into(found, tmp_path / "out", Reporter()),
        lambda: restore_in_place(found, Reporter()),
    ):
        with pytest.raises(IntegrityError, match="not what was signed") as caught:
            restore()
        assert caught.value.rule == "70.6.3"
    assert snapshot(bundle) == before
    assert list((tmp_path / "out").iterdir()) == []


def test_a_bundle_of_strangers_is_not_repaired(site: Site, bundle: Path) -> None:
    strangers = founded(
        root_keys=[key(2)], root_threshold=1, roles={"packer": ([key(11)], 1)}
    ).files
    root = bundle.parent / "strangers.json"
    root.write_bytes(strangers["1.root.json"])
    with pytest.raises(TrustError):
        survey([bundle], TrustChoice(root, root), site.now, Reporter())


def test_a_directory_without_a_bundle_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises((MissingError, TrustError)):
        looked_at(site, tmp_path)


def test_nothing_is_overwritten(site: Site, bundle: Path, tmp_path: Path) -> None:
    found = looked_at(site, bundle)
    restore_into(found, tmp_path / "out", Reporter())
    with pytest.raises(ExistsError):
        restore_into(found, tmp_path / "out", Reporter())
    with pytest.raises(ExistsError, match="already"):
        add(site, bundle, 10)


def test_too_little_space_is_said_before_anything_is_written(
    site: Site, bundle: Path, tmp_path: Path
) -> None:
    found = looked_at(site, bundle)
    full = mock.Mock(free=MIB)
    with (
        mock.patch("shutil.disk_usage", return_value=full),
        pytest.raises(SpaceError, match="are free"),
    ):
        restore_into(found, tmp_path / "out", Reporter())
    assert list((tmp_path / "out").iterdir()) == []


def test_what_an_interrupted_run_left_is_cleared(site: Site, bundle: Path) -> None:
    for path in bundle.glob("par-*"):
        path.unlink()
    left = bundle / ".par-00001.bdp.0123abcd.tmp"
    left.write_bytes(b"half")
    report = add(site, bundle, 10)
    assert not left.exists()
    assert report.stripes == Stripes(report.stripes.shards, 1, 1)


def test_parity_is_not_made_of_what_is_damaged(site: Site, bundle: Path) -> None:
    for path in bundle.glob("par-*"):
        path.unlink()
    flip(bundle / "vol-00002.bdv", 9)
    before = snapshot(bundle)
    with pytest.raises(IntegrityError, match="vol-00002") as caught:
        add(site, bundle, 10)
    assert caught.value.rule == "3.3.11"
    assert snapshot(bundle) == before


def test_a_detached_signature_that_is_damaged_is_left_out_and_said(
    site: Site, bundle: Path, tmp_path: Path
) -> None:
    (bundle / "sig").mkdir()
    name = f"sig/{'0' * 64}.json"
    (bundle / name).write_bytes(b"{")
    found = looked_at(site, bundle)
    assert f"{name} is damaged: ask for it again" in found.warnings
    out = restore_into(found, tmp_path / "out", Reporter())
    assert not (out / name).exists()


def test_parity_of_another_bundle_is_left_alone(
    site: Site, bundle: Path, tmp_path: Path
) -> None:
    other = Site(tmp_path / "other")
    strange = other.packed({"x": b"y" * 200})
    report = add(other, strange, 100)
    assert (report.files, report.stripes.total) == (1, 2)
    shutil.copy(strange / "par-00001.bdp", bundle / "par-00099.bdp")
    found = looked_at(site, bundle)
    assert "par-00099.bdp belongs to another bundle" in found.warnings
    assert found.corrections == ()
