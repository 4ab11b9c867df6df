"""The static export into a bucket that speaks the S3 protocol."""

import http.client
import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from incidents.models import Incident
from pages.models import Page
from tests.processes import free_port


def run(*args: str) -> str:
    output = io.StringIO()
    call_command("export", *args, stdout=output)
    return output.getvalue()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A real server that speaks S3, on this machine, with one empty bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="site", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield client
    client.close()
    connection = http.client.HTTPConnection(host, port, timeout=5)
    connection.request("POST", "/moto-api/reset")  # its buckets live in this process, beyond the server
    assert connection.getresponse().status == 200
    connection.close()
    server.stop()


def test_a_bucket_gets_the_same_site_under_its_addresses(bucket: Any, outage: Incident, acme: Page) -> None:
    run("s3://site/status")
    names = {item["Key"] for item in bucket.list_objects_v2(Bucket="site")["Contents"]}
    assert {
        "status/index.html",
        "status/history",
        f"status/incidents/{outage.code}",
        "status/api/v2/summary.json",
    } <= names
    front = bucket.get_object(Bucket="site", Key="status/index.html")
    assert front["ContentType"] == "text/html; charset=utf-8"
    assert "max-age=10" in front["CacheControl"]
    assert b"Errors on the Chat API" in front["Body"].read()
    code = outage.code
    outage.delete()
    acme.raise_generation()
    run("s3://site/status")
    names = {item["Key"] for item in bucket.list_objects_v2(Bucket="site")["Contents"]}
    assert not [name for name in names if code in name]


def test_a_bucket_that_refuses_is_said_without_a_traceback(bucket: Any, acme: Page) -> None:
    with pytest.raises(CommandError, match="s3://nosuchbucket"):
        run("s3://nosuchbucket")
