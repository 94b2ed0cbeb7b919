"""Lakes to test on: in a folder, and on a local S3 server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from uuid import uuid4

import hypothesis
import pytest

from lake.settings import Settings, load_settings
from lake.store.lake import Lake
from tests.side_by_side import (  # noqa: F401 - hooks
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_sessionfinish,
)

# Commands and workers of the tests read their settings from here; tests of tracking say otherwise.
os.environ.setdefault("MATLAKE_TRACKING_URI", "off")
# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")


LONG = bool(os.environ.get("TEST_LONG"))
"""All that is too long for each time: `make test-long`."""
only_long = pytest.mark.skipif(not LONG, reason="takes long; a quicker test shows most of it: make test-long runs it")


def examples(n: int) -> int:
    """How many examples Hypothesis draws: ``n`` in long runs, else a third of them and ten at least."""
    return n if LONG else max(10, n // 3)


def quick_settings(**more: object) -> Settings:
    """Settings under which nothing waits for long."""
    quick: dict[str, object] = {
        "workers": 1, "backoff_seconds": 0.01, "max_backoff_seconds": 0.05, "timeout_seconds": 2.0,
        "requests_per_second": 10_000, "attempts": 4, "tracking_uri": "off",
    }
    return load_settings(**(quick | more))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(str(tmp_path / "lake"), quick_settings())


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The endpoint of a local S3 server."""
    from moto.s3.responses import S3Response
    from moto.server import ThreadedMotoServer

    put_object, alone = S3Response.put_object, Lock()

    def put_one_at_a_time(response: S3Response) -> object:
        # S3 writes "unless it is there" in one piece; moto looks first and writes then, with other threads in between.
        with alone:
            return put_object(response)

    S3Response.put_object = put_one_at_a_time
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    S3Response.put_object = put_object


@pytest.fixture(scope="session")
def s3_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that all lakes on the S3 server share, as they would have in a home folder."""
    return tmp_path_factory.mktemp("s3-cache")


@pytest.fixture
def s3_lake(request: pytest.FixtureRequest, s3_cache: Path) -> Lake:
    if not LONG and "analytics" in request.path.parts:
        pytest.skip("what is computed is the same on S3, and what is read and written there is tested in tests/lake: "
                    "make test-long runs it")
    import boto3

    s3_server = request.getfixturevalue("s3_server")
    settings = quick_settings(
        s3_endpoint_url=s3_server, s3_access_key_id="test", s3_secret_access_key="test", cache_dir=str(s3_cache),
    )
    bucket = f"bucket-{uuid4().hex[:12]}"
    client = boto3.client(
        "s3", endpoint_url=s3_server, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_bucket(Bucket=bucket)
    return Lake.open(f"s3://{bucket}/lake", settings)


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.xdist_group("s3"))])
def any_lake(request: pytest.FixtureRequest) -> Lake:
    """The same test on a folder and on S3: the code path is the same."""
    return request.getfixturevalue("lake" if request.param == "folder" else "s3_lake")
