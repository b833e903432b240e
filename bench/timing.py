"""Time a call: the first and the best of the repeats, the least processor time of one, and this process' peak resident size."""

import json
import resource
import time


def busy():
    """Seconds of processor time of this process' threads so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def report(call, repeat):
    """Print one JSON line."""
    times, cpu = [], []
    for _ in range(repeat):
        start, before = time.perf_counter(), busy()
        call()
        times.append(time.perf_counter() - start)
        cpu.append(busy() - before)
    status = open("/proc/self/status").read()  # getrusage's ru_maxrss also counts the process that started this one
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    print(json.dumps({"first": times[0], "best": min(times), "cpu": min(cpu), "peak": peak}), flush=True)
