"""Payloads of release.json (chapter 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from spec.vectors.generator.container import Repeat, Vector, accept, refuse
from spec.vectors.generator.documents import dumps
from spec.vectors.generator.statements import (
    CREATED,
    JSON,
    STREAM,
    artifact,
    contents,
    digest,
    release,
    replaced,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spec.vectors.generator.container import Body

LARGEST: Final = (1 << 53) - 1


def vectors() -> Iterator[Vector]:
    """Give every vector of this module."""
    yield from _good()
    for name, (rules, path, value, comment) in CHANGES.items():
        data = dumps(replaced(release(), path, value))
        yield refuse("release", name, rules, data, comment)
    for path in MISSING:
        section = path.rpartition("predicate.")[2]
        word = "".join(f"_{c.lower()}" if c.isupper() else c for c in section)
        name = f"without_{word.replace('.', '_').lstrip('_')}"
        rules = MISSING[path]
        data = dumps(without(release(), path))
        yield refuse("release", name, rules, data, f"{section} is not there.")
    for name, (rules, body, comment, *names) in _built().items():
        named = names[0] if names else ""
        yield refuse("release", name, rules, body, comment, names=named)


def _accepted(name: str, rules: str, document: JSON, comment: str) -> Vector:
    data = dumps(document)
    value = {
        "digest": digest(data),
        "contents": contents(document),
        "release": document["predicate"],
    }
    return accept("release", name, rules, data, comment, value=value)


def _good() -> Iterator[Vector]:
    comment = "The example of chapter 8."
    yield _accepted("one_artifact", "8.1.1 8.1.2 8.5.1", release(), comment)
    later = release(
        [
            artifact(kind="hf-dataset", name="acme/tiny"),
            artifact(name="acme/Tiny-2", licence=None, warnings=["größe: 日本語"]),
            artifact(),
        ],
        seq=LARGEST,
        prev=digest(b"the one before"),
        audience=[],
        expires="2026-01-31T12:00:01Z",
        trustVersion={"root": 2, "roles": 17},
    )
    comment = "Three artifacts with one recipe, in order; for everyone; expires."
    yield _accepted("a_later_one", "8.4.6 8.3.8 8.3.4 8.3.5", later, comment)
    comment = "All that was in the stream has left it."
    budgets = {"bytes": 0, "files": 0, "chunks": 0, "depth": 0, "nameBytes": 0}
    nothing = release([], budgets=budgets)
    yield _accepted("of_nothing", "8.4.8 8.5.2", nothing, comment)
    comment = "A number was burnt before any release was finished."
    yield _accepted("that_follows_genesis_late", "8.3.4", release(seq=2), comment)
    features = {"required": [], "optional": ["sparkle", "x.y-1"]}
    comment = "A reader ignores optional features that it does not know."
    document = release(features=features)
    yield _accepted("with_optional_features", "8.2.2 8.2.3", document, comment)
    comment = "A reader that has no use for it says so; its form is right."
    document = release([artifact(kind="wallpaper")])
    yield _accepted("of_a_kind_nobody_knows", "8.4.1", document, comment)
    notes = ["platforms: linux/amd64, linux/arm64"]
    images = release(
        [
            artifact(kind="oci-image", name=name, notes=notes)
            for name in ("ghcr.io/acme/tiny:V1", "ghcr.io/acme/tiny:v1", "tiny")
        ]
    )
    comment = "Names of images are references; case counts in a tag; with notes."
    yield _accepted("of_images", "90.1.1 8.4.2 8.4.6", images, comment)
    document = release()
    extended = replaced(document, "predicate.artifacts.0.shine", 1)
    data = dumps({"$comment": "hello", **extended})
    value = {
        "digest": digest(data),
        "contents": contents(document),
        "release": document["predicate"],
    }
    comment = "Members that nobody names are ignored; the digest is over all bytes."
    yield accept(
        "release", "with_members_nobody_names", "8.1.2", data, comment, value=value
    )


MISSING: Final[Mapping[str, str]] = {
    "subject": "8.1.1",
    "predicateType": "8.1.1",
    "predicate.format": "8.2.1",
    "predicate.features": "8.2.1",
    "predicate.stream": "8.1.2",
    "predicate.stream.id": "8.1.2",
    "predicate.seq": "8.1.2",
    "predicate.audience": "8.1.2",
    "predicate.expires": "8.1.2",
    "predicate.trustVersion.roles": "8.1.2",
    "predicate.artifacts": "8.1.2",
    "predicate.artifacts.0.licence": "8.1.2",
    "predicate.budgets.nameBytes": "8.1.2",
}
"""Members that have to be there, and the rule that says so."""


_P: Final = "predicate."


_A: Final = "predicate.artifacts.0."


CHANGES: Final[Mapping[str, tuple[str, str, Any, str]]] = {
    "another_statement": (
        "8.1.1",
        "_type",
        "https://in-toto.io/Statement/v0.1",
        "An older form of statement.",
    ),
    "another_predicate": (
        "8.1.1",
        "predicateType",
        "https://slsa.dev/provenance/v1",
        "Signed, and not about a release.",
    ),
    "a_seq_as_text": ("8.1.2", _P + "seq", "1", "A text is no integer."),
    "a_seq_that_is_true": ("8.1.2", _P + "seq", True, "Nor is true."),
    "an_artifact_that_is_a_text": (
        "8.1.2",
        _P + "artifacts",
        ["acme/tiny"],
        "No object.",
    ),
    "no_subject": ("8.1.3", "subject", [], "The artifact is not a subject."),
    "a_subject_of_another_name": (
        "8.1.3",
        "subject.0.name",
        "tree/acme/tiny",
        "Its kind is not that of the artifact.",
    ),
    "a_subject_of_another_recipe": (
        "8.1.3",
        "subject.0.digest.blake3",
        "0" * 64,
        "Other tools would believe this one.",
    ),
    "a_subject_with_a_second_digest": (
        "8.1.3",
        "subject.0.digest.sha256",
        "0" * 64,
        "Of what?",
    ),
    "format_2": ("8.2.1", _P + "format", 2, "A later one."),
    "a_feature_that_is_no_slug": (
        "8.2.2",
        _P + "features.optional",
        ["Sparse!"],
        "Not even an optional one.",
    ),
    "a_feature_twice": (
        "8.2.3",
        _P + "features.optional",
        ["sparkle", "sparkle"],
        "Once.",
    ),
    "a_required_feature_nobody_knows": (
        "8.2.4",
        _P + "features.required",
        ["sparkle"],
        "The reader names it.",
    ),
    "a_required_feature_that_is_reserved": (
        "8.2.4",
        _P + "features.required",
        ["transforms"],
        "A reader of format 1 alone does not have it.",
    ),
    "a_stream_id_of_31_digits": ("8.3.1", _P + "stream.id", STREAM[1:], "One short."),
    "a_stream_id_in_upper_case": ("8.3.1", _P + "stream.id", STREAM.upper(), "a to f."),
    "a_stream_name_that_is_no_slug": (
        "8.3.2 2.2.1",
        _P + "stream.name",
        "models/prod",
        "It becomes the name of a directory.",
    ),
    "seq_0": ("8.3.3", _P + "seq", 0, "Counted from 1."),
    "a_first_one_that_follows_another": (
        "8.3.4",
        _P + "prev",
        digest(b"the one before"),
        "Nothing is before 1.",
    ),
    "a_site_that_is_no_slug": ("8.3.5", _P + "audience", ["Site A"], "No slug."),
    "a_site_twice": ("8.3.5", _P + "audience", ["site-a", "site-a"], "Once."),
    "a_root_of_version_0": ("8.3.6", _P + "trustVersion.root", 0, "There is none."),
    "roles_of_version_0": ("8.3.6", _P + "trustVersion.roles", 0, "There are none."),
    "created_with_an_offset": (
        "8.3.7",
        _P + "created",
        "2026-01-31T13:00:00+01:00",
        "UTC.",
    ),
    "expires_on_no_day": (
        "8.3.7",
        _P + "expires",
        "2027-02-29T00:00:00Z",
        "No leap year.",
    ),
    "that_expires_as_it_is_created": ("8.3.8", _P + "expires", CREATED, "Not later."),
    "that_expires_before_it_is_created": (
        "8.3.8",
        _P + "expires",
        "2026-01-31T11:59:59Z",
        "Earlier.",
    ),
    "a_recipe_of_another_type": (
        "8.4.3",
        _A + "recipe.mediaType",
        "application/vnd.bundle.recipes.v1",
        "That is a file of recipes.",
    ),
    "a_recipe_of_no_media_type": (
        "3.2.1",
        _A + "recipe.mediaType",
        "recipe",
        "No type.",
    ),
    "a_negative_count": ("8.4.4", _A + "chunks", -1, "Fewer than none."),
    "a_line_feed_in_a_warning": (
        "8.4.5",
        _A + "warnings",
        ["all is well\n# Approved"],
        "It would be a line of its own.",
    ),
    "an_escape_character_in_a_source": (
        "8.4.5",
        _A + "source",
        "\x1b[2Jhttps://huggingface.co",
        "It clears the screen.",
    ),
    "an_escape_character_in_a_note": (
        "8.4.5",
        _A + "notes",
        ["platforms: \x1b[8mlinux/amd64"],
        "It hides what follows.",
    ),
    "a_direction_of_writing_in_a_licence": (
        "8.4.5",
        _A + "licence",
        "\u202etim",
        "It reads as mit.",
    ),
    "budgets_below_the_sum": ("8.5.1", _P + "budgets.bytes", 17, "18 in all."),
    "budgets_above_the_sum": ("8.5.1", _P + "budgets.files", 3, "2 in all."),
    "a_budget_of_65_levels": ("8.5.2", _P + "budgets.depth", 65, "64 at most."),
    "a_budget_of_names_of_256_bytes": ("8.5.2", _P + "budgets.nameBytes", 256, "255."),
}
"""One member of the example, changed: rules, its place, the value, a comment."""


def _built() -> dict[str, tuple[str, Body, str] | tuple[str, Body, str, str]]:
    def of(*artifacts: JSON, **changes: Any) -> bytes:
        return dumps(release(artifacts, **changes))

    large = [artifact(name=name, bytes=LARGEST) for name in ("acme/a", "acme/b")]
    whole = dumps(release())
    before, after = dumps(release([artifact(source="|")])).split(b"|")
    return {
        "a_source_of_4097_bytes": (
            "8.4.5",
            (before, Repeat(b"x", 4097), after),
            "One too many.",
        ),
        "a_member_twice": (
            "2.5.2",
            whole.replace(b'"seq":1', b'"seq":1,"seq":2'),
            "Readers disagree on which counts.",
            "2.5",
        ),
        "a_seq_with_a_fraction": (
            "2.5.3",
            whole.replace(b'"seq":1', b'"seq":1.0'),
            "1.0.",
            "2.5",
        ),
        "a_seq_of_2_to_the_53": (
            "8.3.3 2.5.3",
            whole.replace(b'"seq":1', b'"seq":9007199254740992'),
            "Not exact everywhere.",
            "2.5",
        ),
        "that_is_not_json": ("2.5.1", whole[:-1], "It stops.", "2.5"),
        "a_statement_that_is_an_array": ("8.1.1", b"[" + whole + b"]", "No object."),
        "a_prev_that_is_no_digest": (
            "8.3.4 3.1.1",
            of(artifact(), seq=2, prev="sha256:" + "0" * 64),
            "Neither genesis nor a digest.",
            "3.1",
        ),
        "a_kind_that_is_no_slug": (
            "8.4.1 2.2.1",
            of(artifact(kind="HF")),
            "Upper case.",
        ),
        "a_name_that_leads_out": ("8.4.2 2.3.2", of(artifact(name="../tiny")), "By .."),
        "an_image_of_upper_case": (
            "90.1.1 8.4.2",
            of(artifact(kind="oci-image", name="ghcr.io/Acme/tiny:v1")),
            "A repository is in lower case.",
        ),
        "a_tag_of_129_characters": (
            "90.1.1 8.4.2",
            of(artifact(kind="helm-chart", name=f"acme/tiny:{'v' * 129}")),
            "One too many.",
        ),
        "a_digest_that_leads_out": (
            "90.1.1 90.2.1",
            of(artifact(kind="oci-artifact", name="acme/tiny@sha256:../../tiny")),
            "It would become a path.",
        ),
        "a_name_of_a_device": (
            "8.4.2 2.3.6",
            of(artifact(name="acme/nul")),
            "On Windows.",
        ),
        "artifacts_that_descend": (
            "8.4.6",
            of(artifact(name="b/b"), artifact(name="a/a")),
            "Not sorted.",
        ),
        "kinds_that_descend": (
            "8.4.6",
            of(artifact(kind="tree"), artifact(kind="hf-model")),
            "By kind first.",
        ),
        "an_artifact_twice": ("8.4.6", of(artifact(), artifact()), "Once."),
        "artifacts_whose_names_collide": (
            "8.4.6 2.4.1",
            of(artifact(name="Acme/tiny"), artifact(name="acme/tiny")),
            "One directory on Windows.",
        ),
        "sums_over_2_to_the_53": (
            "8.5.1",
            dumps(replaced(release(large), "predicate.budgets.bytes", LARGEST)),
            "Each is in bounds, their sum is not; the budget claims the largest.",
        ),
        "100001_artifacts": (
            "8.4.8 2.1.4",
            _crowd(100_001),
            "One too many; all are the same, but bounds come first.",
        ),
        "over_64_mib": (
            "2.5.5 8.1.2",
            (whole[:-1], Repeat(b" ", 64 << 20), b"}"),
            "Of blanks.",
            "2.5",
        ),
    }


def _crowd(count: int) -> tuple[bytes | Repeat, ...]:
    """Return a release of the same artifact many times over."""
    small = artifact(name="a", source="", revision="", bytes=0, files=0, chunks=0)
    one = dumps(small)
    before, after = dumps(release([small])).split(one)
    return before, Repeat(one + b",", count - 1), one, after
