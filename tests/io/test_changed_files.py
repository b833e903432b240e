"""Files that are emptied, shortened, replaced or deleted between planning and reading: an error that names them, never fewer rows."""

import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import muster.bag as db
import muster.dataframe as dd

ROWS = 20_000


def emptied(path):
    open(path, "w").close()


def shortened(path):
    os.truncate(path, os.path.getsize(path) // 2)


def replaced(path):
    other = path + ".new"
    with open(path, "rb") as old, open(other, "wb") as new:
        new.write(old.read().replace(b"1", b"2"))
    os.utime(other, ns=(1, 1))
    os.replace(other, path)


def deleted(path):
    os.remove(path)


CHANGES = [emptied, shortened, replaced, deleted]


def text(folder):
    frame = pd.DataFrame({"x": np.arange(ROWS), "s": np.arange(ROWS).astype(str)})
    paths = [str(folder / f"{i}.csv") for i in range(3)]
    for path in paths:
        frame.to_csv(path, index=False)
    return paths


def parquet(folder, special):
    paths = [str(folder / f"{i}.parquet") for i in range(3)]
    for path in paths:
        columns = {"x": pa.array(range(ROWS)), "d": pa.array([b"ab"] * ROWS) if special else pa.array([1.5] * ROWS)}
        pq.write_table(pa.table(columns), path, row_group_size=ROWS // 4)
    return paths


def refused(compute, path):
    with pytest.raises((OSError, pd.errors.EmptyDataError)) as error:
        compute()
    assert path in str(error.value), error.value


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
@pytest.mark.parametrize("special", [False, True], ids=["native", "pyarrow"])
def test_parquet(tmp_path, change, scheduler, special):
    paths = parquet(tmp_path, special)
    questions = [lambda df: df.x.sum(), lambda df: df.d, lambda df: df, lambda df: df[df.x > 100].x.count()]
    frames = [q(dd.read_parquet(paths, split_row_groups=True)) for q in questions]
    change(paths[1])
    for frame in frames:
        refused(lambda frame=frame: frame.compute(scheduler=scheduler), paths[1])


@pytest.mark.parametrize("change", CHANGES)
def test_parquet_read_whole_by_pyarrow(tmp_path, change):
    paths = parquet(tmp_path, False)
    frame = dd.read_parquet(paths, dtype_backend="numpy_nullable")
    change(paths[1])
    refused(frame.x.sum().compute, paths[1])


@pytest.mark.parametrize("blocksize", [None, 30_000])
@pytest.mark.parametrize("change", [emptied, deleted])
def test_csv_files_that_are_gone(tmp_path, change, blocksize):
    paths = text(tmp_path)
    frame = dd.read_csv(paths, blocksize=blocksize)
    change(paths[1])
    for question in (frame.x.sum(), frame.s, frame[frame.x > 10]):
        refused(question.compute, paths[1])


def test_csv_is_read_as_it_is_when_it_is_planned(tmp_path):
    paths = text(tmp_path)
    frame = dd.read_csv(paths, blocksize=30_000)
    pd.DataFrame({"x": [1, 2], "s": ["a", "b"]}).to_csv(paths[1], index=False)
    assert frame.x.sum().compute() == 2 * sum(range(ROWS)) + 3


WHILE_READING = {
    "csv": (lambda folder: text(folder), lambda paths: dd.read_csv(paths, blocksize=30_000)),
    "parquet": (lambda folder: parquet(folder, False), lambda paths: dd.read_parquet(paths, split_row_groups=True)),
    "parquet, pyarrow": (lambda folder: parquet(folder, True), lambda paths: dd.read_parquet(paths, split_row_groups=True)),
}


class ChangesAnother:
    """Changes a file when the first partition has been read."""

    def __init__(self, change, path):
        self.change, self.path = change, path

    def __call__(self, part):
        if os.path.exists(self.path) and os.stat(self.path).st_mtime_ns == 10**9:
            self.change(self.path)
        return part


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", WHILE_READING)
def test_changes_while_others_are_read(tmp_path, change, kind):
    write, read = WHILE_READING[kind]
    paths = write(tmp_path)
    for path in paths:
        os.utime(path, ns=(10**9, 10**9))
    frame = read(paths)
    question = frame.map_partitions(ChangesAnother(change, paths[2]), meta=frame._meta)
    refused(lambda: question.compute(scheduler="synchronous"), paths[2])


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("options", [{}, {"blocksize": 10_000}, {"files_per_partition": 2}], ids=str)
def test_bags_of_text(tmp_path, change, options):
    paths = text(tmp_path)
    bag = db.read_text(paths, **options)
    change(paths[1])
    refused(bag.count().compute, paths[1])
    refused(lambda: bag.map(len).sum().compute(scheduler="synchronous"), paths[1])


@pytest.mark.parametrize("change", CHANGES)
def test_on_a_cluster(tmp_path, change, client):
    for kind in ("csv", "parquet", "bag"):
        folder = tmp_path / kind
        folder.mkdir()
        paths = parquet(folder, False) if kind == "parquet" else text(folder)
        lazy = db.read_text(paths, blocksize=10_000).count() if kind == "bag" else WHILE_READING[kind][1](paths).x.sum()
        if kind == "csv" and change not in (emptied, deleted):
            continue  # planned anew
        change(paths[1])
        refused(lazy.compute, paths[1])
