"""Facts about texts in fixed-size arrays, so that the texts themselves need not fit in memory."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.text import damage, language, pii
from pipeline.text.normal import normalise
from pipeline.text.words import I64, U64, Words, split_words


@dataclass(frozen=True)
class Profile:
    """Arrays with one entry for each text, (D,)."""

    ids: U64  # the first 64 bits of SHA-256 of the normal form: equal means the same text
    characters: I64  # of the text as it is
    words: I64
    damaged: npt.NDArray[np.bool_]  # bears a sign of encoding damage
    personal: npt.NDArray[np.int32]  # (D, KINDS) values of each kind of personal data
    masked: npt.NDArray[np.object_]  # str: the first of these, masked, or nothing
    languages: language.Codes


def profile_texts(texts: Sequence[str], max_chars: int) -> tuple[Profile, Words]:
    """Profile texts and return their words too; words are taken of the first ``max_chars``."""
    normal = [normalise(text) for text in texts]
    looked_at = [text[:max_chars] for text in normal]
    words = split_words(looked_at)
    personal = pii.find_personal(texts)
    digests = b"".join(hashlib.sha256(text.encode()).digest()[:8] for text in normal)
    found = Profile(
        ids=np.frombuffer(digests, ">u8").astype(np.uint64),
        characters=np.fromiter((len(text) for text in texts), np.int64, len(texts)),
        words=words.counts,
        damaged=np.fromiter((damage.is_damaged(text) for text in texts), np.bool_, len(texts)),
        personal=personal.counts,
        masked=personal.masked,
        languages=language.guess(looked_at, words),
    )
    return found, words
