"""References, and manifests and indexes of images (chapter 90)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.container import Body, Repeat, Vector, accept, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGEST: Final = f"sha256:{'0123456789abcdef' * 4}"
LONGER: Final = f"sha512:{'0123456789abcdef' * 8}"

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER: Final = "application/vnd.docker.distribution.manifest.v2+json"
SCHEMA_1: Final = "application/vnd.docker.distribution.manifest.v1+prettyjws"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"

REFERENCES: Final[dict[str, tuple[str, list[str | None]]]] = {
    "a_repository": ("alpine", ["", "alpine", None, None]),
    "with_a_tag": ("alpine:3.20", ["", "alpine", "3.20", None]),
    "with_a_registry": (
        "ghcr.io/acme/tiny:v1",
        ["ghcr.io", "acme/tiny", "v1", None],
    ),
    "with_a_port": ("localhost:5000/tiny", ["localhost:5000", "tiny", None, None]),
    "on_this_machine": ("localhost/tiny", ["localhost", "tiny", None, None]),
    "an_address_in_brackets": ("[fd00::1]:5000/a", ["[fd00::1]:5000", "a", None, None]),
    "a_directory_that_is_no_registry": ("acme/tiny", ["", "acme/tiny", None, None]),
    "with_a_digest": (f"acme/tiny@{DIGEST}", ["", "acme/tiny", None, DIGEST]),
    "with_a_tag_and_a_digest": (
        f"ghcr.io/acme/tiny:v1@{LONGER}",
        ["ghcr.io", "acme/tiny", "v1", LONGER],
    ),
    "separators_inside": ("f/a.b_c__d---e", ["", "f/a.b_c__d---e", None, None]),
    "a_tag_of_128_characters": (
        f"a:{'V' * 128}",
        ["", "a", "V" * 128, None],
    ),
    "a_name_of_255_characters": ("a" * 255, ["", "a" * 255, None, None]),
}

BAD_REFERENCES: Final = {
    "nothing": ("", "A repository has a character."),
    "upper_case": ("ghcr.io/Acme/tiny", "A repository is in lower case."),
    "a_dot_first": ("acme/.tiny", "It would be hidden."),
    "two_dots": ("acme/../tiny", "It would lead out."),
    "two_slashes": ("acme//tiny", "A component is empty."),
    "three_underscores": ("a___b", "One or two."),
    "no_repository": ("ghcr.io/", "A registry alone."),
    "an_empty_tag": ("acme/tiny:", "A tag has a character."),
    "a_tag_of_129_characters": (f"a:{'v' * 129}", "One too many."),
    "a_tag_that_begins_with_a_dash": ("a:-v1", "Commands take it for an option."),
    "a_digest_that_leads_out": ("a@sha256:../../x", "It would become a path."),
    "a_digest_of_63_digits": (f"a@{DIGEST[:-1]}", "One short."),
    "a_digest_in_upper_case": (f"a@{DIGEST.upper()}", "a to f."),
    "a_digest_nobody_computes": (f"a@md5:{'0' * 32}", "It protects from nothing."),
    "a_scheme": ("docker://acme/tiny", "That is how a source is written."),
    "a_name_of_256_characters": ("a" * 256, "One too many."),
    "a_line_feed_after_it": ("acme/tiny\n", "A $ in many a pattern allows it."),
}


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    names = ("registry", "repository", "tag", "digest")
    for name, (text, parts) in REFERENCES.items():
        value = dict(zip(names, parts, strict=True))
        body = text.encode()
        yield accept("reference", name, "90.1.1", body, "A reference.", value=value)
    for name, (text, comment) in BAD_REFERENCES.items():
        yield refuse("reference", name, "90.1.1", text.encode(), comment)
    for name, (kind, document, lists, comment) in GOOD.items():
        yield accept(
            "image",
            name,
            "90.3.2 90.2.2",
            dumps(document),
            comment,
            given={"mediaType": kind},
            value={"needs": lists},
        )
    for name, (rules, kind, data, comment) in BAD.items():
        given = {"mediaType": kind}
        yield refuse("image", name, rules, data, comment, given=given)


def descriptor(media_type: str, **changes: Any) -> dict[str, Any]:
    """Return a descriptor of some bytes, changed."""
    return {"mediaType": media_type, "digest": DIGEST, "size": 3, **changes}


def manifest(**changes: Any) -> dict[str, Any]:
    """Return a manifest of one layer, changed."""
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG),
        "layers": [descriptor(LAYER, digest=LONGER)],
        **changes,
    }


def index(**changes: Any) -> dict[str, Any]:
    """Return an index of one manifest, changed."""
    platform = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    listed = [descriptor(MANIFEST, platform=platform)]
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed, **changes}


def dumps(document: object) -> bytes:
    """Return compact JSON."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _without(document: dict[str, Any], member: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != member}


GOOD: Final[dict[str, tuple[str, dict[str, Any], list[str], str]]] = {
    "a_manifest": (MANIFEST, manifest(), [DIGEST, LONGER], "Config, then layers."),
    "an_index": (INDEX, index(), [DIGEST], "For one platform."),
    "an_index_of_nothing": (INDEX, index(manifests=[]), [], "Allowed."),
    "one_that_does_not_say_what_it_is": (
        MANIFEST,
        _without(manifest(), "mediaType"),
        [DIGEST, LONGER],
        "The first manifests of OCI.",
    ),
    "one_of_docker": (
        DOCKER,
        manifest(mediaType=DOCKER),
        [DIGEST, LONGER],
        "As registries still hand them out.",
    ),
    "layers_nobody_knows": (
        MANIFEST,
        manifest(layers=[descriptor("application/vnd.acme.tiny.v3+lzma")]),
        [DIGEST, DIGEST],
        "Carried, not understood.",
    ),
    "members_nobody_knows": (
        MANIFEST,
        manifest(shine={"a": 1}),
        [DIGEST, LONGER],
        "Ignored, and part of the digest.",
    ),
}

_FIRST: Final = dumps(manifest())

BAD: Final[dict[str, tuple[str, str, Body, str]]] = {
    "over_4_mib": (
        "90.3.1 2.5.5",
        MANIFEST,
        (_FIRST[:-1], Repeat(b" ", 4 << 20), b"}"),
        "Of blanks.",
    ),
    "a_member_twice": (
        "90.3.1 2.5.2",
        MANIFEST,
        _FIRST.replace(b'"layers"', b'"layers":[],"layers"'),
        "Clients disagree on which counts.",
    ),
    "one_that_stops": ("90.3.1 2.5.1", MANIFEST, _FIRST[:-1], "No JSON."),
    "a_page_of_html": (
        "90.3.1 2.5.1",
        MANIFEST,
        b"<html><body>Sign in</body></html>",
        "What a proxy answers in place of the registry.",
    ),
    "schema_3": (
        "90.3.2",
        MANIFEST,
        dumps(manifest(schemaVersion=3)),
        "A later one.",
    ),
    "without_a_config": (
        "90.3.2",
        MANIFEST,
        dumps(_without(manifest(), "config")),
        "No image.",
    ),
    "without_manifests": (
        "90.3.2",
        INDEX,
        dumps(_without(index(), "manifests")),
        "No index.",
    ),
    "an_index_that_is_called_a_manifest": (
        "90.3.3",
        MANIFEST,
        dumps(index()),
        "It says something else of itself.",
    ),
    "one_of_two_meanings": (
        "90.3.4",
        INDEX,
        dumps(index(layers=[])),
        "An index to some and an image to others.",
    ),
    "one_of_schema_1": (
        "90.3.5",
        SCHEMA_1,
        dumps({"schemaVersion": 1, "fsLayers": []}),
        "By its type.",
    ),
    "one_of_schema_1_under_another_type": (
        "90.3.5",
        MANIFEST,
        dumps({"schemaVersion": 1, "fsLayers": []}),
        "By what it says.",
    ),
    "a_digest_that_leads_out": (
        "90.2.1",
        MANIFEST,
        dumps(manifest(config=descriptor(CONFIG, digest="sha256:../../x"))),
        "It would become a path.",
    ),
    "a_digest_nobody_computes": (
        "90.2.1",
        MANIFEST,
        dumps(manifest(layers=[descriptor(LAYER, digest="md5:" + "0" * 32)])),
        "It protects from nothing.",
    ),
    "a_size_below_nothing": (
        "90.2.2",
        MANIFEST,
        dumps(manifest(layers=[descriptor(LAYER, size=-1)])),
        "Less than none.",
    ),
    "a_media_type_of_two_lines": (
        "90.2.2",
        MANIFEST,
        dumps(manifest(layers=[descriptor("text/plain\nSet-Cookie: a")])),
        "It would be a header of its own.",
    ),
}
