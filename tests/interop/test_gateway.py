"""The real gateway is one store behind two addresses, and behaves as Ceph does."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.gateway import Gateway

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]


def test_strangers_do_not_trust_its_certificate(gateway: Gateway) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(gateway.https, timeout=20)  # noqa: S310 - our own server
    trusted = ssl.create_default_context(cafile=str(gateway.authority))
    with urllib.request.urlopen(gateway.https, timeout=20, context=trusted) as answer:  # noqa: S310 - our own server
        assert answer.status == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_checksums_of_today_fail_over_https_alone(
    gateway: Gateway, scheme: str
) -> None:
    session = get_session()
    session.set_credentials(gateway.access_key, gateway.secret_key)
    async with session.create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=getattr(gateway, scheme),
        verify=str(gateway.authority),
        config=AioConfig(s3={"addressing_style": "path"}),
    ) as client:
        bucket = f"checksums-{scheme}"
        await client.create_bucket(Bucket=bucket)
        if scheme == "http":
            await client.put_object(Bucket=bucket, Key="key", Body=b"body")
        else:
            with pytest.raises(ClientError, match="MissingContentLength"):
                await client.put_object(Bucket=bucket, Key="key", Body=b"body")
