"""A stick appears at a daemon: real clients get from three places what was packed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bundle.packing.holdings import FarSide
from bundle.source.locate import parse_source
from tests import registries
from tests.bundles import Site
from tests.caches import repository, small_model, write_cache
from tests.clients import HubClient
from tests.crossing.loading import check_loads
from tests.images import Layout, blobs_in, names_in
from tests.objects import Endpoint
from tests.syncd.bastion import Bastion, replaced

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway import Gateway

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not registries.installed(registries.SKOPEO),
        reason="no docker-registry or skopeo: 'make interop' as root installs them",
    ),
    pytest.mark.timeout(240),
]


def test_what_a_stick_brings_is_the_same_for_every_client(
    tmp_path: Path, gateway: Gateway
) -> None:
    site = Site(tmp_path / "sender")
    hub, images = tmp_path / "hub", Layout()
    image = images.image("library/app:1", 1, 2)
    sources = [
        parse_source(f"hf-cache:{hub}"),
        parse_source(f"oci-layout:{images.write(tmp_path / 'images')}"),
    ]
    older = repository(small_model())
    write_cache(hub, older)
    endpoint = Endpoint(gateway.http, gateway.environment)
    endpoint.client.create_bucket(Bucket="sticks")
    with registries.running(tmp_path / "registry") as registry:
        bastion = Bastion(
            tmp_path / "bastion",
            environment={**gateway.environment, "HOME": str(tmp_path)},
        )
        pvc = bastion.target("pvc", artifacts=("hf-model:*",))
        bastion.targets = (
            replaced(pvc, to=f"hf-home:{bastion.path / 'pvc'}"),
            replaced(
                pvc,
                name="bucket",
                to="s3://sticks/m?layout=hf-snapshots",
                endpoint_url=gateway.http,
                region="us-east-1",
                addressing="path",
            ),
            replaced(
                pvc,
                name="registry",
                to=f"docker://{registry.host}",
                artifacts=("oci-image:*",),
                plain_http=True,
            ),
        )
        bastion.plug(site.bundle(*sources))
        bastion.settle(site)
        assert bastion.history(site, "unpublished") == []
        assert len(bastion.history(site, "published")) == 3
        (receipt,) = bastion.receipts.iterdir()
        assert json.loads(receipt.read_text())
        newer = repository({**small_model(), "README.md": b"# another\n"})
        write_cache(hub, newer)
        update = site.bundle(*sources, far=FarSide(have=receipt))
        assert sum(one.stat().st_size for one in update.glob("*.bdv")) < 20_000
        bastion.plug(update, "next")
        bastion.settle(site)
        with HubClient(home=bastion.path / "pvc") as client:
            check_loads(client, newer)
        shelf = tmp_path / "downloaded/hub"
        listed = endpoint.client.list_objects_v2(Bucket="sticks", Prefix="m/")
        for one in listed["Contents"]:
            path = shelf / one["Key"].removeprefix("m/")
            path.parent.mkdir(parents=True, exist_ok=True)
            endpoint.client.download_file("sticks", one["Key"], str(path))
        with HubClient(home=shelf.parent) as client:
            check_loads(client, newer)
        where = f"docker://{registry.host}/library/app:1"
        copied = tmp_path / "copied"
        flags = ["--all", *registry.source_flags]
        registry.skopeo("copy", *flags, where, f"oci:{copied}:app")
        assert blobs_in(copied).items() <= images.blobs.items()
        assert names_in(copied) == {"app": image["digest"]}
