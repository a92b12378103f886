"""A real S3 server in this process, on this machine alone."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest

SECRET = "s3cret-never-told"


@dataclass
class Store:
    """Who is asked is set in the environment, as for a store's own tools."""

    client: Any
    """boto3's."""
    port: int
    bucket: str = "my-bucket"

    def __post_init__(self) -> None:
        self.client.create_bucket(Bucket=self.bucket)

    def put(self, **objects: bytes) -> None:
        for key, content in objects.items():
            self.client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def url(self, key: str = "") -> str:
        return f"s3://{self.bucket}/{key}".rstrip("/")

    @contextmanager
    def denied(self, action: str) -> Iterator[None]:
        """To everybody."""
        places = [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"]
        statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": places}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.client.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(policy))
        try:
            yield
        finally:
            self.client.delete_bucket_policy(Bucket=self.bucket)


@contextmanager
def serving() -> Iterator[Store]:
    """One with a bucket, and its address and keys in the environment."""
    # which the linter's environment has not
    boto3, moto = import_module("boto3"), import_module("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        client = boto3.client("s3", region_name="us-east-1")
        yield Store(client, port)
        client.close()
    server.stop()
