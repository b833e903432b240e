"""What methods give back that wait elsewhere: awaitables where the client is asynchronous."""


async def ready(value):
    """Give `value`."""
    return value


def done_if(asynchronous):
    """Return an awaitable of nothing, or None."""
    return ready(None) if asynchronous else None
