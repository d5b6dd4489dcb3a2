"""Whatever a client sends, the server answers as its own description says.

schemathesis makes requests from the description, right ones and wrong ones, and looks
at every answer: its status, its media type, its body, and that nothing is our mistake.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from syncd.http.openapi import document
from syncd.http.server import TOKENS
from syncd.http.tokens import Scope, new_token
from tests.bundles import Site, no_flushing
from tests.syncd.bastion import Bastion
from tests.syncd.http.clients import listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLES = 12
ANYONE, ANYONE_LINE = new_token("anyone", [*Scope])
SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = {
    f"{verb} {path}": SCHEMA[path][verb]
    for path, verbs in document()["paths"].items()
    for verb in verbs.keys() - {"parameters"}
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with no_flushing():
        yield Site(tmp_path / "sender")


@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_answers_are_as_described(name: str, site: Site, tmp_path: Path) -> None:
    bastion = Bastion(tmp_path / "bastion")
    bundle = await asyncio.to_thread(site.packed)
    async with listening(bastion, site) as here:
        (bastion.state / TOKENS).write_text(ANYONE_LINE)
        bastion.plug(bundle)
        await here.daemon.settle()
        await asyncio.to_thread(ask, OPERATIONS[name], f"http://127.0.0.1:{here.port}")


def ask(operation: Any, url: str) -> None:  # noqa: ANN401 - a class of schemathesis
    """Send requests of every kind, and look at the answers."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def asked(case: Any) -> None:  # noqa: ANN401 - as above
        case.call_and_validate(
            base_url=url,
            headers={"Authorization": f"Bearer {ANYONE}"},
            # A bundle, stream or target that nobody knows has the right shape.
            excluded_checks=[positive_data_acceptance],
        )

    asked()
