"""An S3 on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer


@dataclass(frozen=True)
class Bucket:
    """A bucket of it, as its owner sees it."""

    endpoint_url: str
    name: str
    client: Any

    def put(self, key: str, text: str) -> None:
        """Put an object, or replace it."""
        self.client.put_object(Bucket=self.name, Key=key, Body=text.encode())

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket=self.name, Key=key)


@contextmanager
def a_bucket(name: str = "papers") -> Iterator[Bucket]:
    """On a port of its own, until the block ends."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id="ann",
            aws_secret_access_key="tea-for-two",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=name)
        yield Bucket(url, name, client)
    finally:
        server.stop()
