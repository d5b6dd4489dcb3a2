"""``bundle ls``, ``inspect`` and ``cat``: what is in a bundle, verified first."""

from __future__ import annotations

import base64
import codecs
from typing import TYPE_CHECKING

from bundle.cli.escape import escape_lines
from bundle.cli.reading import find_artifact, find_file, find_recipe, open_verified
from bundle.cli.units import count_text, revision_text, size_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from bundle.format.recipe import Recipe
    from bundle.format.release import Artifact
    from bundle.medium.reader import OpenBundle

_MODES = ("file", "executable", "directory")


def ls(options: argparse.Namespace, session: Session) -> None:
    """List the artifacts of a bundle, or the files of some.

    Raises:
        MissingError: there is no such artifact, or its recipe is not here.
    """
    output = session.output
    opened = open_verified(options, session)
    if options.artifact is not None:
        artifacts = [find_artifact(opened, options.artifact)]
        _list_files(artifacts[0], find_recipe(opened, artifacts[0]), output)
    else:
        artifacts = list(opened.release.artifacts)
        _list_artifacts(opened, output)
        if options.long:
            for artifact in artifacts:
                if artifact.recipe.digest in opened.recipes:
                    output.say("")
                    output.answer(f"{artifact.kind} {artifact.name}")
                    _list_files(artifact, find_recipe(opened, artifact), output)
    output.event(
        "result",
        verb=options.verb,
        bundle=opened.path,
        artifacts=len(artifacts),
        files=sum(artifact.files for artifact in artifacts),
        bytes=sum(artifact.bytes for artifact in artifacts),
    )


def _list_artifacts(opened: OpenBundle, output: Output) -> None:
    """Print one line for each artifact of the release."""
    rows = []
    for artifact in opened.release.artifacts:
        carried = artifact.recipe.digest in opened.recipes
        output.event(
            "artifact",
            kind=artifact.kind,
            name=artifact.name,
            source=artifact.source,
            revision=artifact.revision,
            recipe=artifact.recipe.digest,
            files=artifact.files,
            bytes=artifact.bytes,
            chunks=artifact.chunks,
            licence=artifact.licence,
            warnings=artifact.warnings,
            notes=artifact.notes,
            state="carried" if carried else "not carried",
        )
        rows.append(
            (
                artifact.kind,
                artifact.name,
                revision_text(artifact.revision),
                f"{artifact.files:,}",
                size_text(artifact.bytes),
                artifact.licence or "not stated",
                "" if carried else "not carried here",
            )
        )
    output.listing(("kind", "name", "revision", ">files", ">size", "licence", ""), rows)
    for artifact in opened.release.artifacts:
        for note in artifact.notes:
            output.answer(f"{artifact.name}: {note}")


def _list_files(artifact: Artifact, recipe: Recipe, output: Output) -> None:
    """Print one line for each file of an artifact, however many there are."""
    for index, path in enumerate(recipe.paths()):
        size = int(recipe.sizes[index])
        mode = _MODES[int(recipe.modes[index])]
        sha256 = recipe.sha256[index].tobytes().hex()
        output.answer(f"{mode:<10}  {sha256[:16]}  {size:>15,}  {path}")
        output.event(
            "file",
            kind=artifact.kind,
            name=artifact.name,
            path=path,
            size=size,
            mode=mode,
            sha256=sha256,
        )


def inspect(options: argparse.Namespace, session: Session) -> None:
    """Print what the release and the bundle say of themselves."""
    output = session.output
    opened = open_verified(options, session)
    release, manifest = opened.release, opened.manifest
    output.event(
        "result",
        verb=options.verb,
        bundle=opened.path,
        format=release.format,
        stream={"id": release.stream.id, "name": release.stream.name},
        seq=release.seq,
        release=opened.digest,
        prev=release.prev,
        created=release.created,
        expires=release.expires,
        audience=release.audience,
        signers=opened.verification.signed,
        threshold=opened.verification.threshold,
        root=release.trust_version.root,
        roles=release.trust_version.roles,
        features={
            "required": (*release.features.required, *manifest.features.required),
            "optional": (*release.features.optional, *manifest.features.optional),
        },
        budgets={
            "bytes": release.budgets.bytes,
            "files": release.budgets.files,
            "chunks": release.budgets.chunks,
            "depth": release.budgets.depth,
            "name_bytes": release.budgets.name_bytes,
        },
        artifacts=len(release.artifacts),
        carried=len(manifest.carried),
        requires=manifest.requires.count,
        bytes=manifest.bytes,
        volumes=[
            {"name": volume.name, "size": volume.size, "digest": volume.digest}
            for volume in manifest.volumes
        ],
    )
    output.facts(_facts(opened))
    output.listing(
        ("volume", ">size", "digest"),
        [
            (volume.name, size_text(volume.size), volume.digest)
            for volume in manifest.volumes
        ],
    )


def _facts(opened: OpenBundle) -> list[tuple[str, str]]:
    """Return the lines of ``inspect``, each with its heading."""
    release, manifest, budgets = opened.release, opened.manifest, opened.release.budgets
    versions = release.trust_version
    signed = ", ".join(keyid[:16] for keyid in opened.verification.signed)
    features = (*release.features.required, *manifest.features.required)
    content = [
        size_text(budgets.bytes),
        count_text(budgets.files, "file"),
        count_text(budgets.chunks, "chunk"),
    ]
    carried = [
        size_text(manifest.bytes),
        count_text(len(manifest.volumes), "volume"),
        f"{len(manifest.carried)} of {count_text(len(release.artifacts), 'recipe')}",
    ]
    return [
        ("release", f"{release.seq} of {release.stream.name} ({release.stream.id})"),
        ("digest", str(opened.digest)),
        ("follows", release.prev),
        ("created", release.created),
        ("expires", release.expires or "never"),
        ("audience", ", ".join(release.audience) or "anyone"),
        ("signed by", f"{signed}, {opened.verification.threshold} needed"),
        ("under", f"root {versions.root}, roles {versions.roles}"),
        ("features", ", ".join(features) or "none"),
        ("unpacks to", ", ".join(content)),
        ("deepest", count_text(budgets.depth, "level")),
        ("longest", f"name of {count_text(budgets.name_bytes, 'byte')}"),
        ("carries", ", ".join(carried)),
        ("requires", count_text(manifest.requires.count, "chunk")),
    ]


def cat(options: argparse.Namespace, session: Session) -> None:
    """Write one file to stdout, each piece after it was checked.

    Raises:
        MissingError: there is no such file, or some of it is not here.
    """
    from bundle.medium.content import read_file

    opened = open_verified(options, session)
    artifact = find_artifact(opened, options.artifact)
    recipe = find_recipe(opened, artifact)
    index = find_file(recipe, options.path)
    path = recipe.path(index)
    _write(read_file(opened, recipe, index), session.output)
    session.output.event(
        "result",
        verb=options.verb,
        bundle=opened.path,
        kind=artifact.kind,
        name=artifact.name,
        path=path,
        size=int(recipe.sizes[index]),
        sha256=recipe.sha256[index].tobytes().hex(),
    )


def _write(pieces: Iterator[bytes], output: Output) -> None:
    """Write the content of one file in the form that was asked for."""
    seen = output.stdout.isatty()
    text = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    offset = 0
    for piece in pieces:
        if output.as_json:
            encoded = base64.b64encode(piece).decode("ascii")
            output.event("content", offset=offset, base64=encoded)
        elif seen:
            output.raw(escape_lines(text.decode(piece)).encode())
        else:
            output.raw(piece)
        offset += len(piece)
