"""Updates across the gap: only what is missing travels, whatever gets lost."""

from __future__ import annotations

import json
import random
import shutil
import struct
from typing import TYPE_CHECKING, Final

import pytest

from bundle.limits import MAX_RECEIPT
from bundle.trust.envelope import RECEIPT_TYPE, parse, sign
from bundle.wire import write_json
from tests.caches import another_real_model, real_model, repository
from tests.clients import HubClient
from tests.crossing.gap import fill, open_gap
from tests.crossing.loading import check_loads, is_same
from tests.deltas import Medium, chunks_of
from tests.trust.ceremony import key

if TYPE_CHECKING:
    from pathlib import Path

    from tests.caches import Content, Repository
    from tests.cli.shell import Ran
    from tests.crossing.gap import Gap

NAME: Final = "sentence-transformers/all-MiniLM-L6-v2"
VOICE: Final = "silero/silero-vad"
ADDED: Final = "files/silero_vad_16k_op15.onnx"
TENSOR: Final = 300_000
"""Bytes of one tensor: a chunk of its own."""


def weights(seeds: list[int]) -> bytes:
    """Return a safetensors file with a tensor for each seed; equal seeds are equal."""
    header = {
        f"layer.{place}.weight": {
            "dtype": "U8",
            "shape": [TENSOR],
            "data_offsets": [place * TENSOR, (place + 1) * TENSOR],
        }
        for place in range(len(seeds))
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    tensors = (random.Random(seed).randbytes(TENSOR) for seed in seeds)
    return struct.pack("<Q", len(text)) + text + b"".join(tensors)


def model(*seeds: int, card: bytes = b"# A model\n") -> dict[str, Content]:
    """Return the files of a small model with one tensor for each seed."""
    return {
        "README.md": card * 20,
        "config.json": json.dumps({"layers": len(seeds)}).encode(),
        "model.safetensors": weights([*seeds]),
    }


class Line:
    """A stream that crosses a gap, with receipts that come back."""

    def __init__(self, path: Path) -> None:
        self.gap: Gap = open_gap(path)
        self.pvc = self.gap.inside.home / "pvc"
        self.back = path / "back"

    def pack(
        self, *repositories: Repository, options: tuple[object, ...] = ()
    ) -> Medium:
        """Pack a cache of these repositories; carry the bundle over."""
        fill(self.gap, repositories)
        source = f"hf-cache:{self.gap.hub}"
        ran = self.gap.outside.ok("pack", source, "--quiet", *options)
        return Medium(self.gap.carry(ran.out.strip()))

    def unpack(self, medium: Medium, *options: object) -> Ran:
        """Unpack a bundle that must apply; a receipt comes back."""
        self.gap.inside.ok("verify", medium.path)
        return self.gap.inside.ok(
            *("unpack", medium.path, "--to", f"hf-home:{self.pvc}", "--json"),
            *("--receipt-to", self.back, *options),
        )

    @property
    def receipt(self) -> Path:
        """The one receipt that came back."""
        [receipt] = self.back.glob("receipt-*.json")
        return receipt

    def check(self, repository: Repository) -> None:
        """A client loads what the repository has, with no network."""
        with HubClient(home=self.pvc) as client:
            check_loads(client, repository)


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


@pytest.mark.timeout(120)
def test_two_real_repositories_carry_under_a_hundredth(line: Line) -> None:
    """One has another card and configuration, one a revision with one file more.

    The file is the one that version 6 of its package added: weights for 16 kHz
    alone, of which half is in the files beside it. Of what was there before, nothing
    is on the medium.
    """
    card, voices = real_model(), another_real_model()
    fewer = {path: data for path, data in voices.items() if path != ADDED}
    changed: dict[str, Content] = {
        **card,
        "README.md": _bytes(card["README.md"]) + b"\nReviewed.\n",
        "config.json": _bytes(card["config.json"]).replace(b"{", b'{"reviewed": 1,', 1),
    }
    new = repository(changed, name=NAME, older=[card])
    voice = repository(voices, name=VOICE, older=[fewer])
    full = line.pack(repository(card, name=NAME), repository(fewer, name=VOICE))
    line.unpack(full)
    update = line.pack(new, voice, options=("--have", line.receipt, "--dest", "lab"))
    added = len(_bytes(voices[ADDED]))
    assert 100_000 < update.size < full.size / 100
    assert not update.carried & full.carried
    assert update.carried | update.required == chunks_of(update.recipes)
    result = line.unpack(update).result
    assert result["writtenBytes"] < added + 50_000
    with HubClient(home=line.pvc) as client:
        check_loads(client, new)
        check_loads(client, voice)
        loaded = client.file(NAME, "model.safetensors")
        assert is_same(loaded, card["model.safetensors"])


def _bytes(content: Content) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()


def test_a_new_revision_carries_only_the_tensors_that_changed(line: Line) -> None:
    old, new = model(*range(10)), model(*range(3), 30, *range(4, 8), 80, 9)
    full = line.pack(repository(old))
    line.unpack(full)
    after = repository(new, older=[old])
    update = line.pack(after, options=("--have", line.receipt))
    assert not update.carried & full.carried
    assert 2 * TENSOR < update.size < 2 * TENSOR + 60_000
    line.unpack(update)
    line.check(after)


def test_every_receipt_makes_the_next_bundle_the_difference(line: Line) -> None:
    states = [model(*range(5), *range(50, 50 + number)) for number in range(4)]
    line.unpack(line.pack(repository(states[0])))
    for state in states[1:]:
        update = line.pack(
            repository(state), options=("--have", line.receipt, "--dest", "lab")
        )
        assert update.size < TENSOR + 60_000
        line.unpack(update)
        line.check(repository(state))


def test_a_lost_disk_costs_nothing_but_its_content_again(line: Line) -> None:
    line.unpack(line.pack(repository(model(1, 2))))
    lost = line.pack(
        repository(model(1, 2, 3)), options=("--have", line.receipt, "--dest", "lab")
    )
    shutil.rmtree(lost.path)
    after = repository(model(1, 2, 3, 4))
    update = line.pack(after, options=("--dest", "lab"))
    assert 2 * TENSOR < update.size < 2 * TENSOR + 60_000
    line.unpack(update)
    line.check(after)


def test_an_overlap_makes_up_for_a_lost_disk_without_any_receipt(line: Line) -> None:
    far = ("--dest", "lab", "--assume-delivered", "--overlap", "1")
    states = [repository(model(*range(1, 3 + number))) for number in range(4)]
    media = [line.pack(state, options=far) for state in states]
    for number in (0, 1, 3):
        line.unpack(media[number])
    line.check(states[3])


def test_going_back_to_the_release_before_needs_no_transfer(line: Line) -> None:
    before, after = repository(model(1, 2)), repository(model(1, 3))
    line.unpack(line.pack(before))
    line.unpack(line.pack(after, options=("--have", line.receipt)))
    back = line.pack(before, options=("--have", line.receipt))
    assert back.carried == set()
    assert (back.release.seq, list(back.path.glob("vol-*"))) == (3, [])
    line.unpack(back)
    line.check(before)


def test_what_is_not_named_again_leaves_the_stream(line: Line) -> None:
    stays = repository(model(1, 2), name="org/stays")
    goes = repository(model(3, 4), name="org/goes")
    line.unpack(line.pack(stays, goes))
    update = line.pack(stays, options=("--have", line.receipt))
    assert [one.name for one in update.release.artifacts] == ["org/stays"]
    assert "- **removed**: hf-model org/goes" in update.approval
    assert (update.carried, update.recipes) == (set(), {})
    line.unpack(update)
    line.check(stays)


def test_what_is_added_leaves_the_rest_where_it_is(line: Line) -> None:
    first = repository(model(1, 2), name="org/first")
    second = repository(model(1, 3), name="org/second")
    line.unpack(line.pack(first))
    update = line.pack(second, options=("--have", line.receipt, "--add"))
    assert [one.name for one in update.release.artifacts] == ["org/first", "org/second"]
    assert update.size < TENSOR + 60_000
    line.unpack(update)
    line.check(first)
    line.check(second)


def test_a_receipt_that_is_not_true_any_more_leads_to_a_fill(line: Line) -> None:
    """The far side lost files since: refused whole, and answered with just those."""
    old, new = model(1, 2, 3), model(1, 2, 4)
    line.unpack(line.pack(repository(old)))
    after = repository(new, older=[old])
    update = line.pack(after, options=("--have", line.receipt))
    shutil.rmtree(line.pvc / "hub")
    words = ("unpack", update.path, "--to", f"hf-home:{line.pvc}")
    ran = line.gap.inside(*words, "--want-to", line.back, "--json")
    assert ran.code == 13
    assert not (line.pvc / "hub").exists()
    [want] = line.back.glob("want-*.bdw")
    fill(line.gap, [after])
    answered = line.gap.outside.ok(
        *("pack", f"hf-cache:{line.gap.hub}", "--fill", want, "--quiet")
    )
    answer = Medium(line.gap.carry(answered.out.strip()))
    assert answer.path.name == "models-prod-000002-fill-1"
    assert answer.digest == update.digest
    assert answer.carried == update.required
    line.unpack(update, "--store", answer.path)
    line.check(after)


@pytest.mark.parametrize("digest", ["right", "wrong"])
def test_a_forged_receipt_never_makes_a_wrong_bundle(line: Line, digest: str) -> None:
    """Nobody but the site signs for it; whoever does can only get a bundle refused."""
    old, new = repository(model(1, 2)), repository(model(1, 3))
    never_delivered = line.pack(old)
    other = Line(line.gap.path / "elsewhere")
    other.unpack(other.pack(old))
    forged = json.loads(_payload(other.receipt))
    [stream] = forged["streams"]
    release = never_delivered.release
    stream["id"] = release.stream.id
    stream["releases"][0]["digest"] = (
        never_delivered.digest if digest == "right" else "blake3:" + "00" * 32
    )
    receipt = _signed(line.gap.path / "forged.json", forged)
    update = line.pack(new, options=("--have", receipt))
    ran = line.gap.inside(
        "unpack", update.path, "--to", f"hf-home:{line.pvc}", "--json"
    )
    if digest == "wrong":
        assert update.required == set()
        assert ran.code == 0
        line.check(new)
    else:
        assert update.required
        assert ran.code == 13
        assert not line.pvc.exists()


def _payload(path: Path) -> bytes:
    return parse(path.read_bytes(), limit=MAX_RECEIPT).payload


def _signed(path: Path, document: object) -> Path:
    path.write_bytes(sign(write_json(document), RECEIPT_TYPE, [key(77)]))
    return path
