"""Keywords that are known, and words for those that are not."""

# What the field's programs say to `compute` and its like. Those the engine has no use for are accepted: they change how, not what.
_RUNNING = frozenset((
    "pool cache callbacks chunksize context dumps loads func_dumps func_loads get_id initializer pack_exception raise_exception rerun_exceptions_locally sync "
    "asynchronous direct fifo_timeout actors"
).split())
PLACING = frozenset("workers allow_other_workers resources retries priority".split())
COMPUTE = _RUNNING | PLACING
SHAPING = frozenset("split_every split_out shuffle_method method percentiles_method".split())  # how the field's frames spread a reduction over tasks
_ATTRIBUTES = (
    "bgcolor center color colorscheme concentrate dpi fontcolor fontname fontsize label landscape layout margin nodesep orientation overlap pad page pagedir "
    "penwidth rank rankdir ranksep ratio resolution rotate size splines style"
).split()
_OPTIONS = (
    "engine graph_attr node_attr edge_attr data_attributes function_attributes collapse_outputs verbose concat cmap max_height tasks rename show maxval name"
).split()
VISUALIZE = frozenset([*_ATTRIBUTES, *_OPTIONS])


def nearest(name, known, cutoff=0.6):
    """Return "; did you mean 'a' or 'b'?" for the names nearest to one that is not known, "" if none is near."""
    import difflib

    found = difflib.get_close_matches(name, sorted(known), n=3, cutoff=cutoff)
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""


def check(function, given, known, own=()):
    """Refuse keywords that a function does not know.

    Parameters
    ----------
    function : str
    given : dict
    known : set of str
        What is accepted besides the function's own names.
    own : iterable of str
        The function's own names, for the message.

    Raises
    ------
    TypeError
        With the nearest names.
    """
    for name in given:
        if name not in known:
            raise TypeError(f"{function}: unexpected keyword {name!r}{nearest(name, {*known, *own})}")
