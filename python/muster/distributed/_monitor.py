"""The monitor of a cluster, where there is one."""


def start(core, address):
    """Start the monitor of a cluster; return its link."""
    return core.start_monitor(address) if hasattr(core, "start_monitor") else ""


def stop(core):
    """End it."""
    if hasattr(core, "stop_monitor"):
        core.stop_monitor()
