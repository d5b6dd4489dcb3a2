"""Names that are no paths, and are used as such by others: ids, kinds, digests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.attacks.kit import ABSOLUTE, LANDMARK, Attack, attack
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.medium import Bundle, statement
from spec.vectors.generator.signing import (
    PACKER,
    RELEASE_TYPE,
    ROOT,
    envelope,
    keyid,
    metadata,
    roles,
)
from spec.vectors.generator.statements import replaced

if TYPE_CHECKING:
    from collections.abc import Iterator

OLLAMA: Final = "CVE-2024-37032 (Ollama)"
IMAGE: Final = "CVE-2024-3727 (containers/image)"
ZARF: Final = "CVE-2026-40090 (Zarf)"
TUF: Final = "CVE-2026-24686 (go-tuf); CVE-2021-41131 (python-tuf)"
PLUGIN: Final = "CVE-2026-35204 (Helm, by a version)"
OUT: Final = f"../../{LANDMARK}"
ZEROS: Final = "0" * 64

RELEASE: Final[dict[str, tuple[str, str, str, Any, str, str]]] = {
    "stream_that_leads_out": (
        "8.3.2 2.2",
        "8.3.2",
        "stream.name",
        OUT,
        "The name of the stream becomes the name of a directory.",
        ZARF,
    ),
    "stream_that_is_absolute": (
        "8.3.2 2.2",
        "8.3.2",
        "stream.name",
        "/etc",
        "Absolute.",
        ZARF,
    ),
    "stream_in_upper_case": (
        "8.3.2 2.2.1",
        "8.3.2",
        "stream.name",
        "Models",
        "Two streams that meet on FAT.",
        "",
    ),
    "stream_that_is_a_device": (
        "8.3.2 2.2.3",
        "8.3.2",
        "stream.name",
        "nul",
        "Windows opens a device.",
        "",
    ),
    "stream_that_is_an_option": (
        "8.3.2 2.2.2",
        "8.3.2",
        "stream.name",
        "-rf",
        "Commands take it for an option.",
        "",
    ),
    "stream_with_an_escape": (
        "8.3.2 2.2.1",
        "8.3.2",
        "stream.name",
        "a\u001b[2Jb",
        "The terminal of whoever lists it obeys.",
        "CVE-2021-25743 (kubectl)",
    ),
    "stream_over_64_letters": (
        "8.3.2 2.2.1",
        "8.3.2",
        "stream.name",
        "a" * 65,
        "One too many.",
        "",
    ),
    "stream_id_that_leads_out": (
        "8.3.1",
        "",
        "stream.id",
        "../../../../../../bundle-was-her",
        "32 characters, and the name of a directory of marks.",
        TUF,
    ),
    "stream_id_in_upper_case": (
        "8.3.1",
        "",
        "stream.id",
        "A" * 32,
        "Another directory of marks for the same stream.",
        "",
    ),
    "stream_id_with_a_line_feed": (
        "8.3.1",
        "",
        "stream.id",
        "0" * 32 + "\n",
        "A $ in many a pattern allows it.",
        "",
    ),
    "stream_id_of_nothing": (
        "8.3.1",
        "",
        "stream.id",
        "",
        "The directory of all marks.",
        "",
    ),
    "site_that_leads_out": (
        "8.3.5 2.2",
        "8.3.5",
        "audience",
        [OUT],
        "The name of a site becomes the name of a file.",
        TUF,
    ),
    "site_twice": (
        "8.3.5",
        "",
        "audience",
        ["site-a", "site-a"],
        "Whoever counts counts two.",
        "",
    ),
    "kind_that_leads_out": (
        "8.4.1 2.2",
        "8.4.1",
        "artifacts.0.kind",
        "../tree",
        "The kind chooses a directory.",
        "",
    ),
    "artifact_that_leads_out": (
        "8.4.2 2.3.2",
        "8.4.2",
        "artifacts.0.name",
        OUT,
        "The name of an artifact becomes the name of a directory.",
        f"{ZARF}; CVE-2024-25620 (Helm)",
    ),
    "artifact_that_is_absolute": (
        "8.4.2 2.3.2",
        "8.4.2",
        "artifacts.0.name",
        ABSOLUTE,
        "Absolute.",
        ZARF,
    ),
    "artifact_with_backslashes": (
        "8.4.2 2.3.5",
        "8.4.2",
        "artifacts.0.name",
        f"..\\{LANDMARK}",
        "Out of the target on Windows.",
        PLUGIN,
    ),
    "artifact_of_nothing": (
        "8.4.2 2.3.1",
        "8.4.2",
        "artifacts.0.name",
        "",
        "The directory of all artifacts.",
        "",
    ),
    "artifact_with_a_nul": (
        "8.4.2 2.3.5",
        "8.4.2",
        "artifacts.0.name",
        "tiny\0.txt",
        "C reads another name.",
        "CVE-2023-41105 (Python)",
    ),
    "digest_that_leads_out": (
        "3.1.1",
        "3.1",
        "artifacts.0.recipe.digest",
        f"blake3:{OUT}",
        "A digest names a file in a store.",
        f"{OLLAMA}; {IMAGE}",
    ),
    "digest_of_64_dots": (
        "3.1.1",
        "3.1",
        "artifacts.0.recipe.digest",
        "blake3:" + "../" * 21 + "a",
        "It has the right length.",
        OLLAMA,
    ),
    "digest_in_upper_case": (
        "3.1.1",
        "3.1",
        "artifacts.0.recipe.digest",
        f"blake3:{'A' * 64}",
        "Two names of one content.",
        "",
    ),
    "digest_a_digit_short": (
        "3.1.1",
        "3.1",
        "artifacts.0.recipe.digest",
        f"blake3:{'a' * 63}",
        "A prefix of many.",
        "",
    ),
    "digest_of_md5": (
        "3.1.1",
        "3.1",
        "artifacts.0.recipe.digest",
        f"md5:{'a' * 32}",
        "A hash that anybody can forge.",
        "",
    ),
    "digest_of_another_hash": (
        "3.1.1",
        "3.1",
        "artifacts.0.recipe.digest",
        f"sha256:{'a' * 64}",
        "The same length, other bytes.",
        "",
    ),
    "digest_with_a_line_feed": (
        "3.1.1",
        "3.1",
        "artifacts.0.recipe.digest",
        f"blake3:{'a' * 64}\n",
        "A $ in many a pattern allows it.",
        "",
    ),
    "release_before_that_leads_out": (
        "3.1.1 8.3.4",
        "3.1",
        "prev",
        f"blake3:{OUT}",
        "The release before names a file of the state.",
        OLLAMA,
    ),
}
"""Members of a release: rules, the rule named, member, value, comment, known."""

MANIFEST: Final[dict[str, tuple[str, str, str, Any, str, str]]] = {
    "volume_that_leads_out": (
        "9.3.1",
        "",
        "volumes.0.name",
        "../vol-00001.bdv",
        "Another file is read as the volume.",
        TUF,
    ),
    "volume_that_is_absolute": (
        "9.3.1",
        "",
        "volumes.0.name",
        "/dev/zero",
        "A file without an end.",
        "",
    ),
    "volume_that_is_another_file": (
        "9.3.1",
        "",
        "volumes.0.name",
        "release.json",
        "Bytes of one kind, read as another.",
        "",
    ),
    "volume_without_leading_zeros": (
        "9.3.1",
        "",
        "volumes.0.name",
        "vol-1.bdv",
        "Two names of one number.",
        "",
    ),
    "volume_digest_that_leads_out": (
        "3.1.1",
        "3.1",
        "volumes.0.digest",
        f"blake3:{OUT}",
        "A digest names a file.",
        OLLAMA,
    ),
    "carried_recipe_that_leads_out": (
        "3.1.1",
        "3.1",
        "carried",
        [f"blake3:{OUT}"],
        "A digest names a file in a store.",
        OLLAMA,
    ),
    "contents_that_lead_out": ("3.1.1", "3.1", "contents", OUT, "No digest.", OLLAMA),
    "media_type_of_another": (
        "9.2.1 3.2",
        "",
        "recipes.mediaType",
        "application/vnd.bundle.volume.v1",
        "What is one thing is read as another.",
        "CVE-2021-41190 (OCI manifests)",
    ),
}
"""The same of a manifest."""


def attacks() -> Iterator[Attack]:
    """Give every attack of this module."""
    for name, (rules, named, member, value, comment, known) in RELEASE.items():
        told = replaced(
            statement(seq=2, prev=f"blake3:{ZEROS}"), f"predicate.{member}", value
        )
        bundle = Bundle(release_payload=dumps(told))
        yield attack(
            "names",
            f"name_of_a_{name}",
            rules,
            bundle,
            comment,
            names=named,
            known=known,
        )
    for name, (rules, named, member, value, comment, known) in MANIFEST.items():
        document = replaced(Bundle().document, member, value)
        yield attack(
            "names",
            f"name_of_a_{name}",
            rules,
            Bundle(manifest=document),
            comment,
            names=named,
            known=known,
        )
    yield from _keys()


def _keys() -> Iterator[Attack]:
    good = envelope(Bundle().payload, RELEASE_TYPE, PACKER)
    (one,) = good["signatures"]
    data = dumps(good | {"signatures": [one | {"keyid": OUT}]})
    comment = "The id of a key names a file of signatures."
    yield attack(
        "names",
        "name_of_a_key_that_leads_out",
        "20.1.4",
        {"release.json": data},
        comment,
        known=TUF,
    )
    for name, role, comment in (
        ("leads_out", OUT, "Clients kept the file of a role under its name."),
        ("is_absolute", ABSOLUTE, "Absolute."),
        (
            "is_of_a_site_that_leads_out",
            f"site:{OUT}",
            "A site's receipts are kept under its name.",
        ),
        ("has_a_backslash", "..\\packer", "Out of the directory on Windows."),
        ("is_in_upper_case", "Packer", "Two roles that meet."),
        ("is_empty", "", "The directory itself."),
    ):
        named = roles({"packer": ([PACKER], 1), role: ([PACKER + 1], 1)})
        data = dumps(metadata(named, ROOT))
        yield attack(
            "names",
            f"name_of_a_role_that_{name}",
            "22.3.2",
            {"trust/1.roles.json": data},
            comment,
            known=TUF,
        )
    shadow = roles(version=2)
    data = dumps(metadata(shadow, ROOT))
    assert keyid(PACKER) in data.decode()
    yield attack(
        "names",
        "name_of_roles_with_another_number",
        "22.3.4",
        {"trust/3.roles.json": data},
        "The name of the file says 3, the file itself 2.",
        exit=12,
    )
