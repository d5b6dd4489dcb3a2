"""An object store for tests: moto's server on a free port of the loopback."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from bundle.s3.options import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_NUMBERS = itertools.count()


@dataclass
class Endpoint:
    """A running server, and a plain client of it that is not ours."""

    url: str
    environment: dict[str, str] = field(default_factory=lambda: dict(KEYS))

    @property
    def connection(self) -> Connection:
        return Connection(endpoint_url=self.url, environment=self.environment)

    @cached_property
    def client(self) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - opens nothing
            config=Config(s3={"addressing_style": "path"}),
        )

    def bucket(self) -> Bucket:
        """Make a bucket that no other test has."""
        name = f"bucket-{next(_NUMBERS)}"
        self.client.create_bucket(Bucket=name)
        return Bucket(self, name, self.client)


@dataclass
class Bucket:
    """A bucket of one test, looked at past all of our own code."""

    endpoint: Endpoint
    name: str
    client: Any

    def keys(self, prefix: str = "") -> list[str]:
        answer = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        return [one["Key"] for one in answer.get("Contents", ())]

    def read(self, key: str) -> bytes:
        data: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        return {key: self.read(key) for key in self.keys(prefix)}

    def put(self, key: str, data: bytes, **metadata: str) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data, Metadata=metadata)

    def uploads(self) -> list[str]:
        answer = self.client.list_multipart_uploads(Bucket=self.name)
        return [one["Key"] for one in answer.get("Uploads", ())]


@contextlib.contextmanager
def serving() -> Iterator[Endpoint]:
    """Run moto's server on threads of this process."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - takes two seconds

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Endpoint(f"http://{host}:{port}")
    finally:
        server.stop()
