"""Regular expressions that the engine's RE2 reads as Python's re does."""

import functools
import re
import typing
from re import _parser

# Escapes that mean the same in both; of others, such as \s, \Z and \x41, some do not.
_ESCAPES = re.compile(r"(?:[^\\]|\\[dDwWbtnrf]|\\[ -/:-@\[-`{-~])*", re.DOTALL)
_GROUPS = re.compile(r"\(\?(?!:|P<[A-Za-z_])")  # flags, assertions, comments, ...
_OTHERWISE = ("[[", "[:", "{,", "&&", "--", "~~", "||")  # read otherwise, or one day


class Pattern(typing.NamedTuple):
    """What the engine must know of a regular expression besides its text."""

    literal: str  # a part of every match
    ascii: bool  # means the same for texts of ASCII only
    line: bool  # means the same for texts of one line only
    before: bool  # looks at what is in front of a match
    empty: bool  # may match an empty text
    names: list  # of its groups; their numbers from 0 where they have none


@functools.lru_cache(256)
def read(pattern):
    """Return what there is to know of a regular expression, or None if it is left to Python.

    Parameters
    ----------
    pattern : str
    """
    if not _ESCAPES.fullmatch(pattern) or _GROUPS.search(pattern) or any(text in pattern for text in _OTHERWISE):
        return None
    try:
        pattern.encode()
        tree = _parser.parse(pattern)
    except (re.error, UnicodeEncodeError, OverflowError, RecursionError):
        return None
    seen = {"ascii": False, "line": False, "before": False}
    if tree.state.flags & ~re.UNICODE or not _is_read(tree, seen):
        return None
    names = {number: name for name, number in tree.state.groupdict.items()}
    return Pattern(_literal(tree), **seen, empty=tree.getwidth()[0] == 0, names=[names.get(n, n - 1) for n in range(1, tree.state.groups)])


def _is_read(tree, seen):
    """Whether both read the nodes of a pattern alike; notes for which texts."""
    for op, of in tree:
        if op in (_parser.LITERAL, _parser.NOT_LITERAL, _parser.ANY):
            continue
        if op is _parser.IN:
            for kind, what in of:
                if kind is _parser.CATEGORY:
                    if what not in (_parser.CATEGORY_DIGIT, _parser.CATEGORY_NOT_DIGIT, _parser.CATEGORY_WORD, _parser.CATEGORY_NOT_WORD):
                        return False
                    seen["ascii"] = True
        elif op is _parser.AT:
            if of not in (_parser.AT_BEGINNING, _parser.AT_END, _parser.AT_BOUNDARY):
                return False
            seen["line"] |= of is _parser.AT_END
            seen["ascii"] |= of is _parser.AT_BOUNDARY
            seen["before"] |= of is not _parser.AT_END
        elif op is _parser.BRANCH:
            if not all(_is_read(part, seen) for part in of[1]):
                return False
        elif op is _parser.SUBPATTERN:
            if of[1] or of[2] or not _is_read(of[3], seen):
                return False
        elif op in (_parser.MAX_REPEAT, _parser.MIN_REPEAT):
            if of[2].getwidth()[0] == 0 or not _is_read(of[2], seen):  # repeated, what is empty gives groups of their own
                return False
        else:
            return False
    return True


def _literal(tree):
    """The longest text known to be in every match."""
    found, run = [""], []
    for op, of in tree:
        if op is _parser.LITERAL:
            run.append(chr(of))
            continue
        found.append("".join(run))
        run = []
        if op is _parser.SUBPATTERN:
            found.append(_literal(of[3]))
        elif op in (_parser.MAX_REPEAT, _parser.MIN_REPEAT) and of[0] > 0:
            found.append(_literal(of[2]))
    found.append("".join(run))
    return max(found, key=len)
