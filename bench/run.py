"""Measure muster against its rivals and the machine's limit:
run.py [all|flights|variants|taxi|typed|parquet|questions|joins|tpch|windows|import|scheduler|tasks|cluster] [PART OF A NAME]. One run, one machine, one table.

Each question is a file of this folder. Every measurement runs in a process of its own and is appended to bench/results/*.jsonl.
"""

import importlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

here = pathlib.Path(__file__).resolve().parent
RIVALS = here / ".venv/bin/python"
DATA = pathlib.Path(os.environ.get("MUSTER_BENCH_DATA", here / "data"))
COSTS = {
    "flights": "1 minute, 0.2 GB",
    "variants": "1 minute, 0.2 GB",
    "taxi": "10 minutes, 7.8 GB (the data take 8 minutes more to write, once)",
    "typed": "2 minutes, 0.65 GB of the taxi data",
    "parquet": "4 minutes, 0.6 GB, 6 GB of memory",
    "questions": "12 minutes, 0.8 GB, 4 GB of memory",
    "joins": "8 minutes, 0.7 GB, 6 GB of memory",
    "tpch": "3 minutes, 0.3 GB, 4 GB of memory",
    "windows": "6 minutes, 0.2 GB, 3 GB of memory",
    "import": "10 seconds",
    "scheduler": "20 seconds",
    "tasks": "4 minutes, 1 GB of memory",
    "cluster": "9 minutes, 0.65 GB of the taxi data, 0.9 GB",
}
TASKS = {
    "merge": ("muster", "muster-cluster", "dask", "dask-cluster", "ray"),
    "latency": ("muster-cluster", "dask-cluster", "ray"),
    "ready": ("muster-cluster", "dask-cluster"),
    "map-1M": ("muster-cluster",),
    "transfer": ("muster-cluster", "muster-tcp", "dask-cluster"),
    "read": ("muster-cluster", "muster-tcp", "limit-tcp", "dask-cluster"),
    "scatter": ("muster-cluster", "dask-cluster"),
    "gather": ("muster-cluster", "dask-cluster"),
}


def environment():
    """Make the rivals' own environment and the limit probe."""
    if not RIVALS.exists():
        print("making the rivals' environment bench/.venv", flush=True)
        subprocess.run([sys.executable, "-m", "venv", here / ".venv"], check=True)
        subprocess.run([RIVALS, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", here / "requirements.txt"], check=True)
    probe = here / "data/limit_csv"
    probe.parent.mkdir(exist_ok=True)
    if not probe.exists() or probe.stat().st_mtime < (here / "limit_csv.cpp").stat().st_mtime:
        subprocess.run(["g++", "-O3", "-march=native", "-std=c++20", here / "limit_csv.cpp", "-o", probe, "-lpthread"], check=True)
    return probe


def flights_files():
    """Ten files of 261,000 rows drawn from the real flights, 211 MB."""
    folder = DATA / "nycflights"
    if not (folder / "1999.csv").exists():
        print("writing bench/data/nycflights", flush=True)
        import resample

        resample.flights(str(folder))
    return str(folder / "*.csv")


def taxi_files(months):
    """The taxi data as muster.datasets draws them, 650 MB a month."""
    folder = DATA / "taxi"
    if not (folder / f"yellow_tripdata_2019-{months:02d}.csv").exists():
        print(f"writing {months} months to bench/data/taxi", flush=True)
        from muster import datasets

        datasets.taxi(str(folder), months=months)
    return str(folder / ("*.csv" if months == 12 else "yellow_tripdata_2019-01.csv"))


def measured(system, question, files, repeat, python=None):
    """Run one system's program for a question; return its row: first and best seconds, peak resident bytes."""
    program = here / ("ours.py" if system.startswith("muster") else "rivals.py")
    done = subprocess.run(
        [python or (sys.executable if system.startswith("muster") else RIVALS), program, system, question, files, str(repeat)], capture_output=True, text=True
    )
    if done.returncode:
        return {"system": system, "question": question, "error": done.stderr.strip().splitlines()[-1][:200]}
    return {"system": system, "question": question, **json.loads(done.stdout.strip().splitlines()[-1])}


PARQUET = {
    "h2o": (("q1", "q2", "q3", "q4", "q5", "q6", "q10"), ("muster", "polars", "duckdb")),
    "taxi_parquet": (("tip", "dates", "trips", "describe"), ("muster", "polars", "duckdb")),
    "groups": (("groups", "groups/512MB"), ("muster", "polars", "duckdb")),
    "texts": (("lower", "contains", "split", "part"), ("muster", "polars")),
}


def parquet_files():
    """The files of the Parquet questions by name."""
    import parquet

    files = {"h2o": DATA / "h2o.parquet", "groups": DATA / "groups.parquet", "taxi_parquet": DATA / "taxi_parquet", "texts": "-"}
    if not files["h2o"].exists():
        print("writing bench/data/h2o.parquet", flush=True)
        parquet.h2o_file(str(files["h2o"]))
    if not files["groups"].exists():
        parquet.groups_file(str(files["groups"]))
    if not files["taxi_parquet"].exists():
        parquet.taxi_file(taxi_files(1), str(files["taxi_parquet"]))
    return {name: str(path) for name, path in files.items()}


def parquet_row(system, question, file):
    """Run one system's program of bench/parquet.py; return its row, or None where the system has no such question."""
    if (system, question) in (("duckdb", "describe"), ("polars", "groups/512MB"), ("duckdb", "groups/512MB")):
        return None
    python = sys.executable if system == "muster" else RIVALS
    done = subprocess.run([python, here / "parquet.py", system, question, file, "2" if question in ("q10", "split") else "5"], capture_output=True, text=True)
    if done.returncode:
        return {"system": system, "question": question, "error": (done.stderr.strip().splitlines() or ["failed"])[-1][:200]}
    return {"system": system, "question": question, **json.loads(done.stdout.strip().splitlines()[-1])}


def rows_file():
    """The file of the questions over one frame."""
    import questions

    if not (DATA / "rows.parquet").exists():
        print("writing bench/data/rows.parquet", flush=True)
        questions.rows_file(str(DATA / "rows.parquet"))
    return str(DATA / "rows.parquet")


def question_rows(name, file, folder, rounds=3):
    """Ask each system in turn, `rounds` times; return their rows. A result that differs from the first system's is an error."""
    import questions

    rows = {}
    for turn in range(rounds):
        for system in ("muster", "polars", "duckdb"):
            if system == "duckdb" and questions.QUESTIONS[name][2] is None:
                continue
            result = [f"{folder}/{system}.parquet"] if turn == 0 else []
            python = sys.executable if system == "muster" else RIVALS
            done = subprocess.run([python, here / "questions.py", system, name, file, "3", *result], capture_output=True, text=True)
            if done.returncode:
                rows[system] = {"system": system, "question": name, "error": (done.stderr.strip().splitlines() or ["failed"])[-1][:200]}
                continue
            made = json.loads(done.stdout.strip().splitlines()[-1])
            before = rows.setdefault(system, {"system": system, "question": name, **made})
            for key in ("first", "best", "cpu", "peak"):
                if key in before:
                    before[key] = (max if key == "peak" else min)(before[key], made[key])
            if result and system != "muster":
                difference = questions.difference(f"{folder}/muster.parquet", result[0], name.endswith("*"))
                if difference:
                    before["differs"] = difference
    return list(rows.values())


def ratios_to_better(part):
    """muster's time and CPU time divided by the better rival's, of the rows of one question; None where one is missing."""
    rows = {r["system"]: r for r in part if "best" in r}
    if "muster" not in rows or len(rows) == 1:
        return None
    return {key: rows["muster"][key] / min(max(r[key], 0.001) for s, r in rows.items() if s != "muster") for key in ("best", "cpu")}


def show_question(part, systems=("muster", "polars", "duckdb")):
    """Print a line for the rows of one question, and one for each system that failed or differs."""
    rows = {r["system"]: r for r in part if "best" in r}
    if ratio := ratios_to_better(part):
        seconds = [f"{rows[s]['best']:8.3f}" if s in rows else " " * 8 for s in systems]
        print(f"{part[0]['question']:22}  {' '.join(seconds)} {ratio['best']:9.2f} {ratio['cpu']:7.2f} {rows['muster']['peak'] / 1e6:8.0f}", flush=True)
    for r in part:
        if "error" in r or "differs" in r:
            print(f"{r['question']:22}  {r['system']}: {r.get('error') or r['differs']}", flush=True)


def ask_questions(table, file, only):
    """Ask a table's questions whose names have `only` in them; print and return the rows."""
    import math
    import tempfile

    print(f"\n{'question':22} {'muster s':>9} {'polars':>8} {'duckdb':>8} {'÷ better':>9} {'of CPU':>7} {'peak MB':>8}")
    rows, ratios = [], []
    for name in table:
        if only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            part = question_rows(name, file, folder)
        show_question(part)
        rows += part
        ratios += [r for r in [ratios_to_better(part)] if r]
    for key, word in (("best", "time"), ("cpu", "CPU time")):
        if ratios:
            print(
                f"geometric mean, {word}: {math.exp(sum(math.log(r[key]) for r in ratios) / len(ratios)):.2f}; above 1: {sum(r[key] > 1 for r in ratios)}, "
                f"above 1.5: {sum(r[key] > 1.5 for r in ratios)} of {len(ratios)}"
            )
    return rows


def program_rows(name, only):
    """Ask the questions of bench/joins.py, bench/tpch.py or bench/windows.py, systems in turns; print and return the rows."""
    folder = DATA / name
    if not folder.exists():
        print(f"writing bench/data/{name}", flush=True)
        subprocess.run([RIVALS, "-c", f"import {name}; {name}.write({str(folder)!r})"], cwd=here, check=True)
    program, rows = importlib.import_module(name), []
    systems = getattr(program, "SYSTEMS", ("muster", "polars", "duckdb"))
    print(f"\n{'question':22} {'muster s':>9} {systems[1]:>8} {systems[2]:>8} {'÷ better':>9} {'of CPU':>7} {'peak MB':>8}")
    for question in program.QUESTIONS:
        if only not in question:
            continue
        part = {}
        for system in systems * 2:
            python = sys.executable if system == "muster" else RIVALS
            done = subprocess.run([python, here / f"{name}.py", system, question, str(folder), "3"], capture_output=True, text=True)
            if done.returncode:
                part[system] = {"system": system, "question": question, "error": (done.stderr.strip().splitlines() or ["failed"])[-1][:200]}
                continue
            now = json.loads(done.stdout.strip().splitlines()[-1])
            before = part.get(system, now)
            part[system] = {"system": system, "question": question, **{key: (max if key == "peak" else min)(before[key], now[key]) for key in now}}
        show_question(list(part.values()), systems)
        rows += part.values()
    return rows


def task_row(system, question):
    """Run one system's program of bench/tasks.py; return its row."""
    python = RIVALS if system.startswith(("dask", "ray")) else sys.executable
    done = subprocess.run([python, here / "tasks.py", system, question], capture_output=True, text=True)
    if done.returncode:
        return {"system": system, "question": question, "error": (done.stderr.strip().splitlines() or ["failed"])[-1][:200]}
    return {"system": system, "question": question, **json.loads(done.stdout.strip().splitlines()[-1])}


def show_tasks(rows):
    """Print rows, in the unit that fits."""
    base = next((r["best"] for r in rows if r["system"] == "muster-cluster" and "best" in r), None)
    print(f"\n{rows[0]['question']:18} {'first':>12} {'best':>12} {'÷ muster':>9}")
    for r in rows:
        if "error" in r:
            print(f"  {r['system']:16} {r['error']}")
            continue
        shown = [f"{v * 1e6:9.1f} us" if v < 1e-2 else f"{v:9.3f} s " for v in (r["first"], r["best"])]
        print(f"  {r['system']:16} {shown[0]:>12} {shown[1]:>12} {r['best'] / base if base else 1:9.2f}")


def cluster_rows(only):
    """Ask the questions of bench/cluster.py on threads and on a cluster, in turns; print and return the rows."""
    import cluster

    files = {"flights": flights_files, "taxi": lambda: taxi_files(1), **{f"q{i}": lambda: parquet_files()["h2o"] for i in (1, 2, 3, 4, 5, 6, 10)}}
    rows = []
    print(f"\n{'question':20} {'threads s':>10} {'cluster s':>10} {'ratio':>7} {'of CPU':>7} {'worker MB':>10} {'client MB':>10}")
    for question in cluster.QUESTIONS:
        if only not in question:
            continue
        file = files[question]() if question in files else "-"
        if question.startswith("groups"):
            file = str(DATA / question.replace("/", "-"))
            if not os.path.exists(file):
                cluster.groups_files(file, int(question.partition("/")[2]))
        made = {}
        for place in ("threads", "cluster") * (1 if question in cluster.LONG else 3):
            done = subprocess.run([sys.executable, here / "cluster.py", place, question, file], capture_output=True, text=True)
            if done.returncode:
                print(f"{question:20} {place}: {(done.stderr.strip().splitlines() or ['failed'])[-1][:200]}", flush=True)
                continue
            now = json.loads(done.stdout.strip().splitlines()[-1])
            before = made.setdefault(place, now)
            made[place] = {key: (max if key in ("peak", "client") else min)(before[key], now[key]) for key in now}
        rows += [{"system": f"muster {place}", "question": question, **row} for place, row in made.items()]
        if len(made) == 2:
            one, other = made["threads"], made["cluster"]
            ratios = f"{other['best'] / one['best']:7.2f} {other['cpu'] / one['cpu']:7.2f}"
            print(f"{question:20} {one['best']:10.3f} {other['best']:10.3f} {ratios} {other['peak'] / 1e6:10.0f} {other['client'] / 1e6:10.0f}", flush=True)
    return rows


def limit(probe, files, key, value, question):
    best, size = subprocess.run([probe, files, str(key), str(value), str(os.cpu_count())], capture_output=True, text=True, check=True).stdout.split()
    return {"system": "limit probe", "question": question, "best": float(best), "first": float(best), "bytes": int(size)}


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    commit = subprocess.run(["git", "-C", here, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    flags = next(line for line in open("/proc/cpuinfo") if line.startswith("flags"))
    return {
        "processor": model, "cores": os.cpu_count(), "simd": "AVX-512" if "avx512bw" in flags else "AVX2", "python": platform.python_version(),
        "commit": commit, "date": time.strftime("%Y-%m-%d")
    }


def show(rows, ours="muster"):
    """Print rows with the ratio to muster."""
    base = next((r["best"] for r in rows if r["system"] == ours and "best" in r), None)
    print(f"\n{rows[0]['question'].split('/')[0]}\n{'question':28} {'system':20} {'first s':>9} {'best s':>9} {'÷ muster':>9} {'peak MB':>8}")
    for r in rows:
        if "error" in r:
            print(f"{r['question']:28} {r['system']:20} {r['error']}")
            continue
        ratio = f"{r['best'] / base:9.2f}" if base else ""
        print(f"{r['question']:28} {r['system']:20} {r['first']:9.3f} {r['best']:9.3f} {ratio} {r.get('peak', 0) / 1e6:8.0f}")


def main(question, only=""):
    chosen = list(COSTS) if question == "all" else [question]
    if any(c not in COSTS for c in chosen):
        sys.exit(f"unknown question {question!r}; known are all, {', '.join(COSTS)}")
    for c in chosen:
        print(f"{c}: about {COSTS[c]}")
    probe = environment()
    rows = []

    def add(part):
        rows.extend(part)
        show(part, part[0]["system"] if part[0]["system"].startswith("muster") else "muster")

    if "flights" in chosen:
        files = flights_files()
        add([limit(probe, files, 16, 15, "flights"), *(measured(s, "flights", files, 15) for s in ("muster", "polars", "duckdb", "pandas", "dask"))])
    if "variants" in chosen:
        files = flights_files()
        add([measured("muster", f"flights{v}", files, 15) for v in ("", "/by Dest", "/two keys", "/mask", "/agg")])
    if "taxi" in chosen:
        files = taxi_files(12)
        add(
            [limit(probe, files, 3, 13, "taxi"), measured("muster", "taxi", files, 4), measured("polars", "taxi", files, 2), measured("dask", "taxi", files, 1)]
        )
    if "typed" in chosen:
        files = taxi_files(1)
        add([measured("muster", "typed", files, 5), measured("polars", "typed", files, 3)])
    if "parquet" in chosen:
        files = parquet_files()
        for name, (questions, systems) in PARQUET.items():
            for q in questions:
                add([row for row in (parquet_row(s, q, files[name]) for s in systems) if row])
    if "questions" in chosen:
        import questions

        file = rows_file()
        for table in (questions.TABLE, questions.OWN):
            rows += ask_questions(table, file, only)
    for name in ("joins", "tpch", "windows"):
        if name in chosen:
            rows += program_rows(name, only)
    if "import" in chosen:
        add([measured("muster", "import", "-", 10)])
    if "scheduler" in chosen:
        out = subprocess.run([here.parent / "build/python/scheduler_core"], capture_output=True, text=True, check=True).stdout
        part = [
            {"system": "muster core", "question": f"{name} of {tasks}", "best": float(us) / 1e6, "first": float(us) / 1e6}
            for name, tasks, us in (line.split() for line in out.splitlines())
        ]
        rows.extend(part)
        print("\nscheduler: microseconds of CPU a task")
        for r in part:
            print(f"{r['question']:40} {r['best'] * 1e6:9.3f}")
    if "tasks" in chosen:
        for question, systems in TASKS.items():
            part = [task_row(system, question) for system in systems]
            rows.extend(part)
            show_tasks(part)
    if "cluster" in chosen:
        rows += cluster_rows(only)
    facts = machine()
    results = here / "results"
    results.mkdir(exist_ok=True)
    with open(results / f"{facts['date']}.jsonl", "a") as file:
        for row in rows:
            file.write(json.dumps({**row, **facts}) + "\n")
    print(
        f"\n{facts['cores']} cores {facts['processor']} ({facts['simd']}), Python {facts['python']}, commit {facts['commit']}; appended to "
        f"bench/results/{facts['date']}.jsonl"
    )


if __name__ == "__main__":
    sys.path.insert(0, str(here))
    main(*(sys.argv[1:] or ["all"]))
