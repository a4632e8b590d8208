"""The normal form of a text: what makes two texts the same text."""

import hashlib
import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")


def normalise(text: str) -> str:
    """Return NFKC, case folded, each run of white space one space: equal means duplicate.

    Folding can undo NFKC (it parts an iota subscript from its letter), so NFKC is taken twice.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def text_id(text: str) -> str:
    """Return the first 16 hex digits of SHA-256 of the normal form: a row's name for life."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()[:16]


def content_key(text: str) -> str:
    """Return the words of the normal form alone, or the whole of it where it has no word.

    Texts that differ in punctuation, case or spacing have one key.
    """
    normal = normalise(text)
    return " ".join(_WORD.findall(normal)) or normal
