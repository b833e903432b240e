"""The command `muster`: a scheduler, workers, versions."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

_PORT = 8786


def _node():
    program = os.environ.get("MUSTER_NODE") or os.path.join(os.path.dirname(__file__), "bin", "muster-node")
    if not os.path.exists(program):
        sys.exit(f"muster: the program {program} is not there; install muster again")
    return program


def _parser():
    from muster import __version__

    parser = argparse.ArgumentParser(prog="muster", description="Clusters of muster on this machine.")
    parser.add_argument("--version", action="version", version=f"muster {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    s = commands.add_parser("scheduler", help="run a scheduler; it prints its address and how to join it")
    s.add_argument("--host", default="127.0.0.1", help="loopback only, until connections are encrypted")
    s.add_argument("--port", type=int, default=_PORT, help="default %(default)s; if it is taken, the next free one")
    s.add_argument("--dashboard-address", default=":8787", help="port of the monitor, default %(default)s")
    s.add_argument("--no-dashboard", action="store_true", help="no monitor")
    s.add_argument("--scheduler-file", help="write the address to this JSON file")
    w = commands.add_parser("worker", help="run a worker")
    w.add_argument("scheduler", nargs="?", help="address of the scheduler, such as tcp://127.0.0.1:8786")
    w.add_argument("--scheduler-file", help="read the scheduler's address from this JSON file")
    w.add_argument("--nthreads", type=int, help="tasks at once; default: the CPUs, shared by the workers")
    w.add_argument("--nworkers", default="1", help="number of worker processes, or 'auto'")
    w.add_argument("--memory-limit", default="auto", help="bytes of each worker's store, such as 4GB; a fraction; 0 = no limit")
    w.add_argument("--name", help="name of the worker")
    w.add_argument("--resources", default="", help="what it offers, such as 'GPU=1 MEM=2'")
    w.add_argument("--nanny", action=argparse.BooleanOptionalAction, default=True, help="start a worker again that dies")
    i = commands.add_parser("info", help="what is installed")
    i.add_argument("what", choices=["versions"])
    return parser


def _scheduler(o):
    command = [_node(), "scheduler", "--listen", f"tcp://{o.host}:{o.port}"]
    if not o.no_dashboard:
        command += ["--dashboard", o.dashboard_address]
    if o.scheduler_file is None:
        os.execv(command[0], command)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, frame: process.send_signal(number))
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        if line.startswith("scheduler at "):
            with open(o.scheduler_file, "w") as file:
                json.dump({"type": "Scheduler", "address": line.split()[-1]}, file)
    return process.wait()


def _address(o):
    if o.scheduler_file:
        with open(o.scheduler_file) as file:
            return json.load(file)["address"]
    if not o.scheduler:
        sys.exit("muster worker: say where the scheduler is: muster worker tcp://127.0.0.1:8786")
    return o.scheduler


def _worker(o):
    from muster import _core
    from muster.distributed._cluster import _limit, executor_command, split_cores

    cores = _core.cpu_count()
    if o.nworkers == "auto":
        workers, threads = split_cores(cores)
    else:
        workers = int(o.nworkers)
        threads = max(1, cores // max(workers, 1))
    threads = o.nthreads or threads
    limit = o.memory_limit
    if limit not in ("auto", "0"):
        limit = float(limit) if limit.replace(".", "", 1).isdigit() and float(limit) <= 1 else limit
    command = [
        _node(), "worker", _address(o), "--threads", str(threads), "--memory-limit", str(_limit(0 if limit == "0" else limit, threads, workers * threads)),
        "--die-with-parent"
    ]
    for r in o.resources.replace(",", " ").split():
        command += ["--resource", r]

    def start(number):
        name = ["--name", o.name if workers == 1 else f"{o.name}-{number}"] if o.name else []
        return subprocess.Popen([*command, *name, "--executor", *executor_command()], start_new_session=True)

    running = {i: start(i) for i in range(workers)}

    def stop(number, frame):
        for p in running.values():
            p.terminate()
        sys.exit(0)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    while running:
        time.sleep(0.1)
        for i, p in list(running.items()):
            status = p.poll()
            if status is None:
                continue
            del running[i]
            if status < 0 and o.nanny:  # killed: the scheduler may still be there
                print(f"worker {i} died (signal {-status}); starting it again", file=sys.stderr, flush=True)
                running[i] = start(i)
            elif status:
                return status
    return 0


def main(args=None):
    """Run the command with these arguments; return the exit status."""
    o = _parser().parse_args(args)
    if o.command == "scheduler":
        return _scheduler(o)
    if o.command == "worker":
        return _worker(o)
    from muster import show_versions

    show_versions()
    return 0


if __name__ == "__main__":
    sys.exit(main())
