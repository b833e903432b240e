"""The same questions on threads and on a cluster of this machine: cluster.py PLACE QUESTION FILE. PLACE: threads (two) or cluster (two workers of one thread).

Prints one line of JSON: first and best seconds, the least processor time of all processes, and the most memory that a worker with its executors took.
"""

import json
import os
import pathlib
import resource
import sys
import threading
import time

GROUPS = 4_000_000
LIMIT = 256_000_000  # bytes, of each worker, where four times as much as that is computed
PERSISTED = 2_000_000_000


def groups_files(folder, files):
    """Write 8 million rows of four million groups, as many rows a file."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    os.makedirs(folder, exist_ok=True)
    for i in range(files):
        rows = 2 * GROUPS // files
        pq.write_table(pa.table({"k": random.integers(0, GROUPS, rows), "x": random.random(rows)}), f"{folder}/{i:03}.parquet")


def processes():
    """This process and all that it has started: [(pid, seconds of processor time)]."""
    ticks, parents = os.sysconf("SC_CLK_TCK"), {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            parents[int(entry.name)] = int(fields[1]), (int(fields[11]) + int(fields[12])) / ticks
    family = {os.getpid()}
    for _ in range(3):  # workers, their executors
        family |= {pid for pid, (parent, _) in parents.items() if parent in family}
    return [(pid, parents[pid][1]) for pid in family]


def busy():
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + sum(seconds for pid, seconds in processes() if pid != os.getpid())


def children_of(pid):
    out = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            out += map(int, (task / "children").read_text().split())
        except OSError:
            pass  # the thread ended meanwhile
    return out


def taken_by(worker):
    """Bytes that a worker and its executors have: their own, and objects in shared memory."""
    total, objects = 0, {}
    for pid in [worker, *children_of(worker)]:
        try:
            total += next(int(line.split()[1]) * 1024 for line in open(f"/proc/{pid}/status") if line.startswith("RssAnon"))
            for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                if "memfd:muster" in os.readlink(fd):
                    facts = os.stat(fd)
                    objects[facts.st_ino] = facts.st_blocks * 512
        except (OSError, StopIteration):
            pass  # it ended, or closed the file, meanwhile
    return total + sum(objects.values())


class Memory(threading.Thread):
    """The most that one of the workers took, over what it took before."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.before = {w["pid"]: taken_by(w["pid"]) for w in client.scheduler_info()["workers"].values()}
        self.peak, self.over = 0, threading.Event()

    def run(self):
        while not self.over.wait(0.05):
            self.peak = max(self.peak, *(taken_by(pid) - before for pid, before in self.before.items()))


def timed(call, repeat):
    times, cpu = [], []
    for _ in range(repeat):
        start, before = time.perf_counter(), busy()
        call()
        times.append(time.perf_counter() - start)
        cpu.append(busy() - before)
    return {"first": times[0], "best": min(times), "cpu": min(cpu)}


def flights(file):
    import muster.dataframe as dd

    return lambda: dd.read_csv(file).groupby("Origin").DepDelay.mean().compute()


def taxi(file):
    import muster.dataframe as dd

    return lambda: dd.read_csv(file).groupby("passenger_count").tip_amount.mean().compute()


def groups(folder):
    import muster.dataframe as dd

    return lambda: dd.read_parquet(f"{folder}/*.parquet").groupby("k").x.sum().compute()


def h2o(name):
    def question(file):
        import parquet

        return parquet.muster(file)[name]

    return question


def rows_made(n):
    """A frame of as many bytes, in partitions of 16 MB that tasks make."""
    import muster.dataframe as dd

    size = 16_000_000
    return dd.from_map(_part, range(n // size), meta=_part(0, 0))


def _part(i, rows=1_000_000):
    import numpy as np
    import pandas as pd

    x = np.arange(i * rows, (i + 1) * rows)
    return pd.DataFrame({"k": x * 7919 % 250_000, "x": x.astype(float)})


def persisted(_):
    """The next query of a frame that lies in the workers: the frame was persisted before."""
    df = rows_made(PERSISTED).persist()
    client = _client()
    if client:
        from muster.distributed import wait

        wait(df)
    return lambda: df.x.sum().compute()


def larger_groups(_):
    df = rows_made(8 * LIMIT)
    return lambda: df.groupby("k").x.sum().compute()


def larger_reduction(_):
    df = rows_made(8 * LIMIT)
    return lambda: df.x.max().compute()


def larger_tree(_):
    """Arrays that all are there before the first is needed again."""
    from muster import delayed

    def run():
        parts = [delayed(_part)(i) for i in range(8 * LIMIT // 16_000_000)]
        sums = [delayed(lambda part, _: part.x.sum())(p, delayed(len)(parts[-1])) for p in parts]
        return delayed(sum)(sums).compute()

    return run


def _client():
    try:
        from muster.distributed import get_client

        return get_client()
    except ValueError:
        return None


QUESTIONS = {
    "flights": flights,
    "taxi": taxi,
    **{f"groups/{n}": groups for n in (16, 64, 256)},
    **{name: h2o(name) for name in ("q1", "q2", "q3", "q4", "q5", "q6", "q10")},
    "persisted": persisted,
    "larger groups": larger_groups,
    "larger reduction": larger_reduction,
    "larger tree": larger_tree,
}
LONG = ("q10", "larger groups", "larger reduction", "larger tree")  # asked once, others in turns
REPEAT = {"persisted": 3, "larger groups": 1, "larger reduction": 1, "larger tree": 1, "q10": 2}


def main(place, question, file):
    import muster

    repeat = REPEAT.get(question, 5)
    limited = question.startswith("larger")
    if place == "threads":
        with muster.config.set({"num-workers": 2, **({"memory-limit": 2 * LIMIT} if limited else {})}):
            print(json.dumps(timed(QUESTIONS[question](file), repeat)))
        return
    from muster.distributed import Client

    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None, **({"memory_limit": LIMIT} if limited else {})) as client:
        memory = Memory(client)
        memory.start()
        result = timed(QUESTIONS[question](file), repeat)
        memory.over.set()
        memory.join()
        print(json.dumps({**result, "peak": memory.peak, "client": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main(*sys.argv[1:])
