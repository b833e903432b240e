"""The command `muster`, clients of other processes, and the monitor."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from muster.distributed import Client, LocalCluster, get_client, get_worker

MUSTER = [sys.executable, "-m", "muster"]


def get(url, headers=None, method="GET"):
    request = urllib.request.Request(url, headers=headers or {}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.read().decode()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def scheduler(tmp_path):
    port, dashboard = free_port(), free_port()
    file = tmp_path / "scheduler.json"
    with subprocess.Popen(
        [*MUSTER, "scheduler", "--port", str(port), "--dashboard-address", f":{dashboard}", "--scheduler-file", str(file)], stdout=subprocess.PIPE, text=True
    ) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        address = re.search(r"scheduler at (\S+)", "".join(lines)).group(1)
        for _ in range(100):
            if file.exists() and file.read_text():
                break
            time.sleep(0.05)
        yield address, f"http://127.0.0.1:{dashboard}", file, lines
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0


def test_scheduler_and_workers_as_programs(scheduler):
    address, monitor, file, lines = scheduler
    assert "muster worker " + address in "".join(lines)
    worker = subprocess.Popen(
        [
            *MUSTER, "worker", "--scheduler-file", str(file), "--nworkers", "2", "--nthreads", "1", "--memory-limit", "500MB", "--resources", "GPU=2", "--name",
            "w"
        ],
        stderr=subprocess.PIPE, text=True
    )
    try:
        with Client(address) as client:
            client.wait_for_workers(2, timeout=20)
            info = client.scheduler_info()["workers"]
            assert sorted(w["name"] for w in info.values()) == ["w-0", "w-1"]
            assert all(w["resources"] == {"GPU": 2.0} and w["nthreads"] == 1 for w in info.values())
            assert client.submit(lambda: get_worker().name, resources={"GPU": 1}).result() in ("w-0", "w-1")
            assert client.gather(client.map(lambda i: i + 1, range(50))) == list(range(1, 51))
            big = client.submit(np.arange, 2_000_000)
            assert client.submit(lambda a: int(a.sum()), big).result() == sum(range(2_000_000))
            pdf = pd.DataFrame({"k": [1, 2, 1, 2], "x": [1.0, 2, 3, 4]})
            pd.testing.assert_series_equal(dd.from_pandas(pdf, npartitions=2).groupby("k").x.sum().compute(), pdf.groupby("k").x.sum())
            os.kill(next(iter(info.values()))["pid"], signal.SIGKILL)
            assert client.submit(lambda a: int(a.sum()) + 1, big).result(timeout=20) == sum(range(2_000_000)) + 1
            client.wait_for_workers(2, timeout=20)
            assert get(monitor + "/health")[1] == "ok"
            counts = json.loads(get(monitor + "/json/counts.json")[1])
            assert counts["workers"] == 2 and counts["clients"] == 1
        with Client(scheduler_file=str(file)) as client:
            assert client.submit(pow, 2, 3).result() == 8
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(timeout=10)


def test_a_client_that_dies_is_cleaned_up(scheduler):
    address, monitor, file, _ = scheduler
    worker = subprocess.Popen([*MUSTER, "worker", address, "--nthreads", "1"], stderr=subprocess.DEVNULL)
    try:
        program = (
            f"from muster.distributed import Client; import os\nc = Client({address!r}); c.wait_for_workers(1)\n"
            "f = c.map(lambda i: i, range(5)); c.gather(f); print('done', flush=True); os.kill(os.getpid(), 9)"
        )
        assert "done" in subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30).stdout
        for _ in range(100):
            counts = json.loads(get(monitor + "/json/counts.json")[1])
            if counts["tasks"] == 0 and counts["clients"] == 0:
                break
            time.sleep(0.05)
        assert counts["tasks"] == 0 and counts["clients"] == 0 and counts["bytes"] == 0
    finally:
        worker.terminate()
        worker.wait(timeout=10)


def test_a_scheduler_that_is_gone():
    port = free_port()
    process = subprocess.Popen([*MUSTER, "scheduler", "--port", str(port), "--no-dashboard"], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    client = Client(f"tcp://127.0.0.1:{port}")
    future = client.submit(pow, 2, 3)
    process.kill()
    process.wait()
    with pytest.raises(Exception, match="connection|closed"):
        future.result(timeout=10)
    with pytest.raises(Exception, match="connection|closed"):
        client.submit(pow, 2, 4)
    client.close()
    with pytest.raises(OSError, match="cannot connect"):
        Client(f"tcp://127.0.0.1:{port}", timeout=0.2)


def test_addresses_that_make_no_sense():
    with pytest.raises(ValueError, match="tcp://127.0.0.1:8786"):
        Client("nonsense")
    with pytest.raises(ValueError, match="loopback"):
        Client("tcp://10.0.0.1:8786")
    done = subprocess.run([*MUSTER, "scheduler", "--host", "0.0.0.0"], capture_output=True, text=True, timeout=10)
    assert done.returncode and "loopback" in done.stderr
    done = subprocess.run([*MUSTER, "worker"], capture_output=True, text=True, timeout=10)
    assert done.returncode and "say where the scheduler is" in done.stderr


def test_garbage_at_the_port():
    with LocalCluster(n_workers=1, threads_per_worker=1, scheduler_port=0, dashboard_address=None) as cluster, Client(cluster) as client:
        port = int(cluster.scheduler_address.rsplit(":", 1)[1])
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(500), b"\x4d\x75\x01\x00" + b"\xff" * 100, b""):
            with socket.create_connection(("127.0.0.1", port)) as s:
                s.sendall(garbage)
        assert client.submit(pow, 2, 3).result(timeout=10) == 8


def test_the_monitor():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=f":{port}")
        assert any("is taken" in str(w.message) for w in said)
    with cluster, Client(cluster) as client:
        link = client.dashboard_link
        assert link in repr(client) and link.endswith("/status")
        base = link[: -len("/status")]
        kept = client.map(lambda i: i, range(7))
        client.gather(kept)
        status, page = get(base + "/")
        assert status == 200 and "<h1>muster</h1>" in page and "lambda" in page
        assert "dask_scheduler_tasks" in get(base + "/metrics")[1]
        assert json.loads(get(base + "/json/identity.json")[1])["workers"][0]["nthreads"] == 1
        assert json.loads(get(base + "/json/groups.json")[1])["lambda"]["memory"] == 7
        for headers, method, code in (({"Host": "evil.example"}, "GET", 403), ({"Origin": "http://evil.example"}, "GET", 403), ({}, "POST", 405)):
            with pytest.raises(urllib.error.HTTPError) as info:
                get(link, headers, method)
            assert info.value.code == code
        with pytest.raises(urllib.error.HTTPError) as info:
            get(base + "/nothing")
        assert info.value.code == 404
        events = client.get_task_stream()
        assert len([e for e in events if e["name"] == "lambda"]) == 7 and all(e["startstops"][0]["stop"] >= e["startstops"][0]["start"] for e in events)
    with pytest.raises(urllib.error.URLError):
        get(link)
    with pytest.raises(ValueError, match="8787"):
        LocalCluster(n_workers=0, dashboard_address="nonsense")


def test_get_client_by_address(cluster):
    with pytest.raises(ValueError, match="No global client"):
        get_client()
    with get_client(cluster.scheduler_address) as client:
        assert client.submit(pow, 2, 4).result() == 16


def test_version():
    assert "muster" in subprocess.run([*MUSTER, "--version"], capture_output=True, text=True).stdout
    assert "numpy" in subprocess.run([*MUSTER, "info", "versions"], capture_output=True, text=True).stdout
