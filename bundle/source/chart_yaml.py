"""Chart.yaml: what a chart says of itself."""

from __future__ import annotations

from typing import Any, Final

import yaml

from bundle.errors import SourceError

_NEEDED: Final = ("name", "version")
_DATE: Final = "tag:yaml.org,2002:timestamp"


class _Plain(yaml.SafeLoader):
    """YAML with the types that JSON has: a date is text, as Helm takes it."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the attribute that PyYAML reads
        first: [one for one in resolvers if one[0] != _DATE]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def parse_chart_yaml(text: bytes, where: str) -> dict[str, Any]:
    """Return Chart.yaml as plain values; ``where`` says which chart that is of.

    Raises:
        SourceError: it is not YAML, has aliases (small ones stand for much), or
            names no chart and version.
    """
    try:
        if any(isinstance(one, yaml.AliasEvent) for one in yaml.parse(text)):
            raise SourceError(f"{where}: Chart.yaml has aliases")
        chart = yaml.load(text, Loader=_Plain)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{where}: Chart.yaml is not YAML: {reason}") from error
    if not isinstance(chart, dict) or not all(
        isinstance(chart.get(key), str) and chart[key] for key in _NEEDED
    ):
        raise SourceError(f"{where}: Chart.yaml names no chart and version")
    return chart
