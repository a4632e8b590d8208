"""The normal form of a text, which decides whether two texts are the same."""

import hashlib
import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")


def normalise(text: str) -> str:
    """Return the text in NFKC, case-folded, with single spaces; equal results mean duplicates.

    Case folding can undo NFKC (it separates an iota subscript from its letter), so NFKC is applied
    twice.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def text_id(text: str) -> str:
    """Return the first 16 hex digits of the normal form's SHA-256: a row's lasting identifier."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()[:16]


def content_key(text: str) -> str:
    """Return the words of the normal form alone, or the whole of it where it has no word.

    Texts that differ in punctuation, case or spacing have one key.
    """
    normal = normalise(text)
    return " ".join(_WORD.findall(normal)) or normal
