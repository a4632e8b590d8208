"""The language of a text by its most common words: enough to notice a mixed corpus, no more.

A text is in the language of which it has the most listed words, if these are at least two and more
than of any other. If most of its letters are not Latin it is in none of these languages. Short
texts are often undetermined, and are then left out of the share.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.text.words import I64, Words, encode, split_words

Codes = npt.NDArray[np.int8]

_COMMON = {  # the commonest function words of each, those of one letter left out
    "de": """der die und das ist nicht ein eine zu den mit auf für von dem sich auch es an werden
        aus er hat dass sie nach wird bei ich noch wie einer um am haben nur aber""",
    "en": """the of and to in is that it was for with as on be this have from are not you he his but
        they at by an or we which had her she there their what if will my who would been do no me so
        all can just out up about over too when than did has get him""",
    "es": """el la de que los se del las un por con no una su para es al lo como más pero sus le ya
        este sí porque esta entre cuando muy sin sobre también hasta hay""",
    "fr": """le la de et les des est un une du en que qui dans pour pas au sur ne se ce il sont avec
        plus par je vous nous mais ou son cette elle ont été aux""",
    "it": """il di che la le per un una non sono con del si da come dei nel alla della più anche
        gli lo ma ha delle dal questo nella essere era""",
    "nl": """de het een en van ik te dat die in is niet zijn op aan met als voor had er maar om hem
        dan zou of wat mijn dit zo door over ze bij ook tot""",
    "pt": """de que não do da em um para com uma os no se na por mais as dos como mas ao ele das seu
        sua ou quando muito nos já eu também pelo pela até isso""",
}
KNOWN = tuple(_COMMON)
UNDETERMINED, NOT_LATIN = -1, len(KNOWN)
_LEAST_WORDS = 2


def name(code: int) -> str:
    """Return the language of a code: ISO 639-1, or in words."""
    return {UNDETERMINED: "undetermined", NOT_LATIN: "not Latin"}.get(code) or KNOWN[code]


def guess(texts: Sequence[str], words: Words) -> Codes:
    """Return each normalised text's code, an index of `KNOWN`, `UNDETERMINED` or `NOT_LATIN`."""
    counts = _count_common(words)
    ranked = np.sort(counts, axis=1)
    clear = (ranked[:, -1] >= _LEAST_WORDS) & (ranked[:, -1] > ranked[:, -2])
    codes = np.where(clear, counts.argmax(axis=1), UNDETERMINED)
    return np.where(_is_not_latin(texts), NOT_LATIN, codes).astype(np.int8)


def _count_common(words: Words) -> I64:
    """Count each language's listed words in each text, (D, languages)."""
    lists = [split_words(_COMMON[code].split()).hashes for code in KNOWN]
    listed = np.unique(np.concatenate(lists))
    at = np.minimum(np.searchsorted(listed, words.hashes), len(listed) - 1)
    met = listed[at] == words.hashes
    owners = np.repeat(np.arange(len(words.counts)), words.counts)[met]
    counts = [
        np.bincount(owners[np.isin(listed, one)[at[met]]], minlength=len(words.counts))
        for one in lists
    ]
    return np.stack(counts, axis=1)


def _is_not_latin(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Compare counts of letters by the first byte of their UTF-8 (one a character)."""
    buffer, starts = encode(texts)
    latin = np.zeros(256, np.bool_)
    latin[[*range(0x61, 0x7B), *range(0xC3, 0xCB)]] = True  # a to z, U+00C0 to U+02BF
    other = np.zeros(256, np.bool_)
    other[[*range(0xCD, 0xE2), *range(0xE3, 0xEE)]] = True  # Greek to NKo, Indic; kana to Hangul
    sums = np.concatenate([[0], np.cumsum(other[buffer].astype(np.int64) - latin[buffer])])
    return sums[starts[1:]] > sums[starts[:-1]]
