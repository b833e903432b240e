"""CSV and Parquet over HTTP, against a server of this process."""

import gzip
import http.server
import os
import threading

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import same


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, also in part, as object stores and web servers give them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.translate_path(self.path)
        asked = self.headers.get("Range")
        if asked is None or not os.path.isfile(path):
            return super().do_GET()
        first, last = asked.removeprefix("bytes=").split("-")
        size = os.path.getsize(path)
        first, last = int(first), min(int(last or size - 1), size - 1)
        with open(path, "rb") as file:
            file.seek(first)
            data = file.read(last + 1 - first)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame({"k": np.arange(1000) % 7, "x": np.arange(1000) / 4, "s": [f"text {i}" for i in range(1000)]})


@pytest.fixture(scope="module")
def served(tmp_path_factory, frame):
    """A folder and its address."""
    pytest.importorskip("aiohttp")
    folder = tmp_path_factory.mktemp("served")
    frame.to_csv(folder / "t.csv", index=False)
    frame.to_parquet(folder / "t.parquet", row_group_size=300)
    frame.iloc[:500].to_parquet(folder / "a.parquet")
    frame.iloc[500:].to_parquet(folder / "b.parquet")
    with gzip.open(folder / "t.csv.gz", "wt") as file:
        file.write(frame.to_csv(index=False))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Ranges(*args, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_csv(served, frame):
    _, address = served
    same(dd.read_csv(f"{address}/t.csv"), frame)
    cut = dd.read_csv(f"{address}/t.csv", blocksize=4000)
    assert cut.npartitions > 3
    same(cut, frame)
    same(cut.groupby("k").x.sum(), frame.groupby("k").x.sum())
    same(cut[cut.x > 200].s, frame[frame.x > 200].s)
    same(dd.read_csv(f"{address}/t.csv.gz", blocksize=None), frame)


def test_parquet(served, frame):
    _, address = served
    same(dd.read_parquet(f"{address}/t.parquet"), frame)
    files = dd.read_parquet([f"{address}/a.parquet", f"{address}/b.parquet"])
    assert files.npartitions == 2
    same(files.groupby("k").x.sum(), frame.groupby("k").x.sum())
    same(files[files.x > 200].s.max(), frame[frame.x > 200].s.max())


def test_what_is_not_there(served):
    _, address = served
    with pytest.raises(FileNotFoundError, match="nothing"):
        dd.read_csv(f"{address}/nothing.csv")
    with pytest.raises(FileNotFoundError, match="nothing"):
        dd.read_parquet(f"{address}/nothing.parquet")


def test_a_file_that_goes_away(served, frame):
    folder, address = served
    frame.to_csv(folder / "gone.csv", index=False)
    df = dd.read_csv(f"{address}/gone.csv", blocksize=4000)
    os.remove(folder / "gone.csv")
    with pytest.raises((FileNotFoundError, OSError), match="gone"):
        df.x.sum().compute()
