"""The one error that a person, not a programmer, has to mend."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input: the message names the file, row, field or key, and what to do about it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known name nearest to ``name``, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
