"""Every bound in ``bundle.limits`` has something that is over it, and is refused.

A row names it: a vector, an attack of the kit, a test, or a function here. A bound
without a row fails, so nobody adds one that nothing keeps.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from bundle import limits
from bundle.cli.values import percent
from bundle.cut import gguf, zipped
from bundle.cut.plan import plan
from bundle.errors import FormatError, LimitError
from bundle.format.parity import parse_parity_header
from bundle.oci.references import check_repository
from bundle.store.s3_names import generation_key
from spec.vectors.generate import HERE
from spec.vectors.generator.container import parse
from tests.format.samples import with_field
from tests.format.test_parity import RECORD
from tests.fuzz.targets import EXTRA

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[1]
UNITS: Final = {"KIB", "MIB", "GIB"}
SAFETENSORS, GGUF, ZIP, *_ = EXTRA["cut"]


def generation() -> None:
    assert generation_key(limits.MAX_GENERATION, "0" * 16)
    with pytest.raises(LimitError):
        generation_key(limits.MAX_GENERATION + 1, "0" * 16)


def parity_head() -> None:
    over = with_field(RECORD, 36, "<I", limits.MAX_PARITY_HEAD + 1)
    with pytest.raises(LimitError, match=r"rule 70\.4\.9"):
        parse_parity_header(over)
    most = with_field(RECORD, 36, "<I", limits.MAX_PARITY_HEAD)
    assert parse_parity_header(most).head_size == limits.MAX_PARITY_HEAD


def parity_percent() -> None:
    assert percent(f"{limits.MAX_PARITY_PERCENT}%") == limits.MAX_PARITY_PERCENT
    with pytest.raises(ValueError, match="100"):
        percent(f"{limits.MAX_PARITY_PERCENT + 1}%")


def oci_name() -> None:
    assert check_repository("a" * limits.MAX_OCI_NAME)
    with pytest.raises(FormatError, match=r"rule 90\.1\.1"):
        check_repository("a" * (limits.MAX_OCI_NAME + 1))


def zip_directory() -> None:
    """A directory over the bound is not looked at: the file is cut by content."""
    length = int.from_bytes(ZIP[-10:-6], "little")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipped, "MAX_ZIP_DIRECTORY", length)
        whole = _rules(ZIP)
        patch.setattr(zipped, "MAX_ZIP_DIRECTORY", length - 1)
        assert _rules(ZIP) != whole


def gguf_metadata() -> None:
    """Metadata over the bound are not looked at: the file is cut by content."""
    with pytest.MonkeyPatch.context() as patch:
        whole = _rules(GGUF)
        enough = 0
        while _with_bound(patch, enough) != whole:
            enough += 1
        assert 100 < enough < len(GGUF)
        assert _with_bound(patch, enough - 1) != whole


def _with_bound(patch: pytest.MonkeyPatch, bound: int) -> list[tuple[int, int]]:
    patch.setattr(gguf, "MAX_GGUF_METADATA", bound)
    return _rules(GGUF)


def _rules(data: bytes) -> list[tuple[int, int]]:
    found = plan(lambda at, size: data[at : at + size], len(data), "file")
    return [(one.start, int(one.rule)) for one in found.regions()]


ROWS: Final[dict[str, str | Callable[[], None]]] = {
    "MAX_CHUNK": "frame/a_chunk_over_1_mib",
    "MAX_FRAME_PLAIN": "frame/plain_over_4_mib",
    "MAX_FRAME_STORED": "frame/stored_over_4_mib",
    "MAX_FRAME_CHUNKS": "frame/65537_chunks",
    "MAX_ZSTD_WINDOW": "payload/zstd_with_a_window_over_8_mib",
    "MAX_ZSTD_BLOCKS": "payload/zstd_of_8193_blocks",
    "MAX_VOLUME": "manifest/a_volume_too_large",
    "MIN_VOLUME": "tests/test_packer.py::test_volumes_of_an_impossible_size",
    "MAX_VOLUME_CHUNKS": "tail/2097153_chunks",
    "MAX_VOLUMES": (
        "tests/format/test_manifest.py::test_a_bundle_has_a_most_of_everything"
    ),
    "SHARD": "shards/shards_of_2_mib",
    "MAX_LITERAL": "recipe/a_literal_of_4097_bytes",
    # A transform of any size is refused: nobody has the feature.
    "MAX_TRANSFORM_PARAMETERS": "recipe/a_transform",
    "MAX_ENVELOPE": "envelope/over_64_mib",
    "MAX_TRUST_FILE": "root/over_512000_bytes",
    "MAX_SIGNATURES": "envelope/with_seventeen_signatures",
    "MAX_DETACHED_SIGNATURE": "signature/over_4096_bytes",
    "MAX_KEY_FILE": "tests/state/test_keydir.py::test_a_key_file_that_is_too_large",
    "MAX_ROOTS": "tests/trust/test_chain.py::test_an_endless_chain_is_refused",
    "MAX_AUDIT_LINE": "tests/state/test_audit.py::test_a_line_over_the_bound",
    "MAX_DEPTH": "json/seventeen_levels",
    "MAX_INTEGER": "json/two_to_the_53",
    "MAX_TEXT": "tests/format/test_fields.py::test_text_is_as_long_as_its_bytes",
    "MAX_RECIPE": "recipe/over_64_gib",
    "MAX_RECIPES": (
        "tests/format/test_release.py::test_a_release_has_a_most_of_artifacts"
    ),
    "MAX_FILES": "recipe/over_50_million_files",
    "MAX_PATH": "path/a_thousand_and_twenty_five_bytes",
    "MAX_NAME": "path/a_component_of_256_bytes",
    "MAX_PATH_DEPTH": "path/sixty_five_components",
    "MAX_SHARDS_FILE": (
        "tests/format/test_shards.py::test_more_shards_than_a_reader_takes_are_refused"
    ),
    "MAX_APPROVAL": "attacks/manifest_with_approval_of_65_mib/attack",
    "MAX_RECEIPT": "receipt/over_2048_bytes",
    "MAX_RECEIPT_RELEASES": "receipt/of_seventeen_releases",
    "MAX_SETTINGS": (
        "tests/test_settings.py::test_settings_of_one_byte_too_many_are_refused"
    ),
    "MAX_WANT": "tests/format/test_want.py::test_a_want_of_any_size_is_not_written",
    "MAX_SEQ_JUMP": "attacks/fast_forward/attack",
    "MAX_DIRECTORY_SCAN": "attacks/crowd_in_trust/attack",
    "MAX_CLOCK_AHEAD": "attacks/just_over_two_days_ahead/attack",
    "MAX_TENSORS": "tests/cut/test_gguf.py::test_odd_and_so_cut_by_content",
    "MAX_SAFETENSORS_HEADER": (
        "tests/cut/test_safetensors.py::test_odd_and_so_cut_by_content"
    ),
    "MAX_GGUF_METADATA": gguf_metadata,
    "MAX_GGUF_ITEMS": "tests/cut/test_gguf.py::test_odd_and_so_cut_by_content",
    "MAX_ZIP_DIRECTORY": zip_directory,
    "MAX_GROUP": "tests/format/test_stripes.py::test_stripes_are_refused_for",
    "WRITTEN_GROUP": (
        "tests/format/test_stripes.py::"
        "test_a_writer_gives_what_was_asked_for_in_groups_it_can_hold"
    ),
    "MAX_PARITY_PERCENT": parity_percent,
    "MAX_PARITY_SHARDS": "tests/format/test_stripes.py::test_stripes_are_refused_for",
    "MAX_PARITY_HEAD": parity_head,
    "MAX_OCI_NAME": oci_name,
    "MAX_OCI_MANIFEST": "tests/oci/test_nouns.py::test_a_manifest_is_bounded",
    "MAX_OCI_LAYOUT_INDEX": (
        "tests/oci/test_nouns.py::test_an_index_of_a_layout_is_bounded"
    ),
    "MAX_OCI_NESTING": "tests/oci/test_walk.py::test_nesting_is_bounded",
    "MAX_OCI_MANIFESTS": "tests/oci/test_walk.py::test_manifests_are_bounded",
    "MAX_AUTH_FILE": (
        "tests/registry/test_login.py::test_a_file_that_is_none_is_refused"
    ),
    "MAX_REDIRECTS": (
        "tests/registry/test_connection.py::test_redirects_without_end_are_given_up"
    ),
    "MAX_GENERATION": generation,
    "MIN_PART": "tests/s3/test_parts.py::test_the_longer_of_two_runs_is_copied",
    "MAX_PARTS": (
        "tests/s3/test_parts.py::test_there_are_never_more_parts_than_s3_takes"
    ),
    "MAX_OCI_MEMBERS": "tests/source/test_tar_images.py::test_members_are_bounded",
    "MAX_CHART_YAML": "tests/source/test_chart.py::test_charts_are_bounded",
    "MAX_CHART": "tests/source/test_chart.py::test_charts_are_bounded",
    "MAX_TAR_MEMBERS": "tests/cut/test_tar.py::test_headers_are_bounded",
}
"""What is over each bound."""

ANSWERS: Final = {
    *("MAX_TOKEN_ANSWER", "MAX_REGISTRY_WORDS", "MAX_REFERRER_PAGES"),
    *("MAX_OBJECT_PAGES", "MAX_INDEX_PACKS", "MAX_INDEX_OBJECT", "MAX_LEAVING"),
    *("MAX_MARKER", "MAX_KEPT_RECIPE", "MAX_MIRROR_NOTES"),
}
"""Bounds of what registries and buckets answer. Only a server that misbehaves goes
over them; none here does yet."""


def declared() -> dict[str, str]:
    """Return the bounds with what is said of them."""
    body = ast.parse((ROOT / "bundle" / "limits.py").read_text()).body
    found = {}
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        text = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            text = str(after.value.value)
        found[node.target.id] = text
    return {name: text for name, text in found.items() if name not in UNITS}


def test_every_bound_has_something_over_it() -> None:
    assert {*declared()} == {*ROWS} | ANSWERS


@pytest.mark.parametrize("name", declared())
def test_a_bound_has_a_unit_and_a_reason(name: str) -> None:
    text = declared()[name]
    assert len(text.split()) >= 5, f"{name}: what is counted, and why so many?"
    assert text.rstrip().endswith((".", ")")), name


@pytest.mark.parametrize("name", ROWS)
def test_what_is_over_it_is_refused(name: str) -> None:
    """A vector or an attack is refused by the tests of those; that it is, is here."""
    row = ROWS[name]
    if not isinstance(row, str):
        row()
    elif row.startswith("tests/"):
        path, _, test = row.partition("::")
        assert f"def {test}(" in (ROOT / path).read_text()
    else:
        assert parse((HERE / row).read_text()).exit
