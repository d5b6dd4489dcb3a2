"""``bundle doctor``: what a client will see at a target, and what to set."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from bundle.cli.networks import BUCKETS, bucket_connection, registry_options
from bundle.cli.session import run
from bundle.cli.units import count_text, size_text
from bundle.errors import TargetError

if TYPE_CHECKING:
    import argparse

    from bundle.cli.output import Output
    from bundle.cli.session import Session
    from bundle.target.diagnosis import Diagnosis


def doctor(options: argparse.Namespace, session: Session) -> None:
    """Print the repositories at a target, what is wrong, and the variables to set.

    Raises:
        TargetError: some of it will not load.
    """
    from bundle.target.diagnosis import Severity

    diagnosis = _diagnose(options, session)
    output = session.output
    _print_repositories(diagnosis, output)
    _print_findings(diagnosis, output)
    print_variables(diagnosis, output)
    output.event(
        "result",
        verb=options.verb,
        target=diagnosis.location,
        loads=diagnosis.loads,
        repositories=len(diagnosis.repositories),
        variables=[
            {"name": one.name, "value": one.value, "reason": one.reason}
            for one in diagnosis.variables
        ],
    )
    if not diagnosis.loads:
        errors = [one for one in diagnosis.findings if one.severity is Severity.ERROR]
        raise TargetError(
            f"{diagnosis.location}: {count_text(len(errors), 'thing')} "
            "will keep a client from loading",
            advice="mend what is called an error above",
        )


def _diagnose(options: argparse.Namespace, session: Session) -> Diagnosis:
    """Look at a directory, at a registry or at a bucket."""
    if options.target.startswith(BUCKETS):
        return _diagnose_bucket(options, session)
    if not options.target.startswith("docker://"):
        from bundle.target.doctor import diagnose

        return diagnose(options.target)
    from bundle.oci.mapping import NameMap
    from bundle.target import registry_doctor
    from bundle.target.registry_place import RegistryPlace

    place = RegistryPlace.parse(options.target, NameMap())
    reached = registry_options(options, session, options.target)
    return run(registry_doctor.diagnose(place, reached, write=options.write))


def _diagnose_bucket(options: argparse.Namespace, session: Session) -> Diagnosis:
    from bundle.target import s3_doctor
    from bundle.target.options import TargetOptions
    from bundle.target.s3 import s3_target

    connection = bucket_connection(options, session)
    target = s3_target(options.target, TargetOptions(s3=connection))
    return run(s3_doctor.diagnose(target, connection))


def _print_repositories(diagnosis: Diagnosis, output: Output) -> None:
    """Print one line for each revision that a client can see."""
    rows = []
    for repository in diagnosis.repositories:
        for revision in repository.revisions:
            output.event(
                "revision",
                kind=repository.kind,
                name=repository.name,
                path=repository.path,
                commit=revision.commit,
                refs=revision.refs,
                files=revision.files,
                bytes=revision.bytes,
                loads=revision.loads,
            )
            rows.append(
                (
                    repository.kind,
                    repository.name,
                    revision.commit[:12],
                    ", ".join(revision.refs) or "-",
                    f"{revision.files:,}",
                    size_text(revision.bytes),
                    "yes" if revision.loads else "NO",
                )
            )
    if rows:
        output.listing(
            ("kind", "name", "revision", "refs", ">files", ">size", "loads"), rows
        )


def _print_findings(diagnosis: Diagnosis, output: Output) -> None:
    """Print what is wrong and what to do about it."""
    if not diagnosis.findings:
        output.say("nothing stands in the way of loading")
    for finding in diagnosis.findings:
        output.event(
            "finding",
            severity=str(finding.severity),
            subject=finding.subject,
            message=finding.message,
            fix=finding.fix,
        )
        output.answer(f"{finding.severity}: {finding.subject} {finding.message}")
        if finding.fix:
            output.answer(f"  {finding.fix}")


def print_variables(diagnosis: Diagnosis, output: Output) -> None:
    """Print what to set so that a client loads from this target."""
    if diagnosis.variables:
        output.answer("set for every client:")
    for variable in diagnosis.variables:
        output.answer(
            f"  {variable.name}={shlex.quote(variable.value)}  # {variable.reason}"
        )
