"""A bar for futures."""

import sys
import threading
import time

from muster.distributed._future import futures_of


def progress(*futures, notebook=None, multi=True, complete=True, group_by="prefix", **kwargs):
    """Show how many of the futures have ended, until all have.

    In a terminal the call returns when all have ended; in a notebook at once, and the bar goes on below the cell.
    """
    found = futures_of(list(futures))
    if not found:
        return None
    if notebook:
        threading.Thread(target=_draw, args=(found,), daemon=True).start()
        return None
    _draw(found)
    return None


def _draw(found, width=40):
    start = time.monotonic()
    client = found[0].client
    ids = [f._id for f in found]
    while True:
        done = sum(client._core.status(i) != "pending" for i in ids)
        bar = "#" * (width * done // len(ids))
        sys.stdout.write(f"\r[{bar:<{width}}] | {100 * done // len(ids):3}% Completed | {time.monotonic() - start:5.1f} s")
        sys.stdout.flush()
        if done == len(ids) or client.status != "running":
            break
        client._core.wait(ids, False, 0.1)
    sys.stdout.write("\n")
