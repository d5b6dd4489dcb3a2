"""What ``docker://`` and ``oci://`` are followed by.

>>> str(parse_name("docker://", "quay.io/prometheus/prometheus:v3.1.0"))
'quay.io/prometheus/prometheus:v3.1.0'
>>> str(parse_name("oci://", "ghcr.io/org/charts/app:1.2.3+build.5"))
'ghcr.io/org/charts/app:1.2.3_build.5'
"""

from __future__ import annotations

from typing import Final

from bundle.errors import FormatError, UsageError
from bundle.oci.references import Reference

CHART: Final = "oci://"
"""What Helm calls a registry."""


def parse_name(text: str, rest: str) -> Reference:
    """Return the reference in ``text``, which is ``rest`` without its scheme.

    A chart has a version, whose ``+`` is ``_`` in a tag, as Helm has it.

    Raises:
        UsageError: it names no image and no chart.
    """
    is_chart = text.startswith(CHART)
    try:
        reference = Reference.parse(rest.replace("+", "_") if is_chart else rest)
    except FormatError as error:
        raise UsageError(f"{text!r}: {error}") from None
    if is_chart and not reference.tag and not reference.digest:
        raise UsageError(
            f"{text!r}: which version of the chart?",
            advice=f"write {text}:VERSION",
        )
    if is_chart and not reference.registry:
        raise UsageError(f"{text!r} names no registry")
    return reference
