"""Time a call: the first and the best of the repeats, and this process' peak resident size."""

import json
import resource
import time


def report(call, repeat):
    """Print one JSON line."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"first": times[0], "best": min(times), "peak": peak}))
