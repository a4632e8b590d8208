"""The error for mistakes of the user, and the words in which they are told."""

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pydantic


class InputError(ValueError):
    """Bad input: the message names the file, row, field or key, and what to do about it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known name nearest to ``name``, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def first_problem(error: "pydantic.ValidationError") -> tuple[str, str]:
    """Return the key, joined by dots, and the message of the first value that pydantic refused."""
    problem = error.errors()[0]
    return ".".join(map(str, problem["loc"])), plain_message(problem)


def plain_message(problem: Any) -> str:
    """Return the message of one of pydantic's errors, without its mark of a validator of ours."""
    message: str = problem["msg"]
    return message.removeprefix("Value error, ")
