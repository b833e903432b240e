"""CSV and Parquet on S3, against a server of this process."""

import urllib.request

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import same


@pytest.fixture(scope="module")
def s3():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    options = {"key": "a", "secret": "b", "endpoint_url": f"http://{host}:{port}", "client_kwargs": {"region_name": "us-east-1"}}
    made = urllib.request.Request(f"http://{host}:{port}/bucket", method="PUT")
    urllib.request.urlopen(made, timeout=10)
    yield options
    server.stop()


@pytest.fixture
def frame():
    return pd.DataFrame({"k": np.arange(1000) % 7, "x": np.arange(1000) / 4, "s": [f"text {i}" for i in range(1000)]})


def test_parquet(s3, frame):
    dd.from_pandas(frame, npartitions=3).to_parquet("s3://bucket/table", storage_options=s3)
    back = dd.read_parquet("s3://bucket/table/*.parquet", storage_options=s3)
    assert back.npartitions == 3
    same(back, frame)
    same(back.groupby("k").x.sum(), frame.groupby("k").x.sum())
    anonymous = {**{k: v for k, v in s3.items() if k not in ("key", "secret")}, "anon": True}
    same(dd.read_parquet("s3://bucket/table", storage_options=anonymous).x.sum(), frame.x.sum())


def test_csv(s3, frame):
    dd.from_pandas(frame, npartitions=2).to_csv("s3://bucket/text/part-*.csv", index=False, storage_options=s3)
    back = dd.read_csv("s3://bucket/text/part-*.csv", storage_options=s3, blocksize=4000)
    same(back.reset_index(drop=True), frame)


def test_what_is_not_there(s3):
    with pytest.raises(FileNotFoundError):
        dd.read_parquet("s3://bucket/nothing.parquet", storage_options=s3)


def test_a_failed_write_leaves_nothing(s3, frame):
    from muster._border.files import system_of

    def part(p):
        return p if p.x.max() < 200 else 1 / 0

    bad = dd.from_pandas(frame, npartitions=5).map_partitions(part, meta=frame.iloc[:0])
    dd.from_pandas(frame, npartitions=2).to_parquet("s3://bucket/kept", storage_options=s3)
    system = system_of("s3://bucket", s3)
    before = sorted(system.find("bucket"))
    for write in (
        lambda: bad.to_parquet("s3://bucket/failed", storage_options=s3),
        lambda: bad.to_parquet("s3://bucket/kept", append=True, storage_options=s3, compute=False).compute(),
        lambda: bad.to_csv("s3://bucket/failed/*.csv", storage_options=s3),
        lambda: bad.to_csv("s3://bucket/failed.csv", single_file=True, storage_options=s3),
    ):
        with pytest.raises(ZeroDivisionError):
            write()
        assert sorted(system.find("bucket")) == before
