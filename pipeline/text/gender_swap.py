"""The same text with the other gender's words: he for she, actress for actor.

Only common words are exchanged. Names are not: the gender of a name is a guess, and a swapped name
changes who is meant. A text that becomes odd ("she fathered") is kept.
"""

import re

# Male and female words that change places: pairs of Zhao et al. 2018 (`generalized_swaps.txt`,
# `extra_gendered_words.txt`). Left out are words used of anyone or of things (guys, host, master,
# hero, god, nurse) and pairs whose words differ in more than gender.
_PAIRS = """
    actor actress  actors actresses  boy girl  boyfriend girlfriend  boyfriends girlfriends
    boys girls  brother sister  brothers sisters  businessman businesswoman
    businessmen businesswomen  chairman chairwoman  chairmen chairwomen  dad mom  daddy mommy
    dads moms  duke duchess  dukes duchesses  emperor empress  father mother  fathers mothers
    gentleman lady  gentlemen ladies  grandfather grandmother  grandfathers grandmothers
    grandpa grandma  grandson granddaughter  grandsons granddaughters  groom bride  grooms brides
    he she  himself herself  husband wife  husbands wives  king queen  kings queens  lad lass
    landlord landlady  male female  males females  man woman  men women  mr ms  nephew niece
    nephews nieces  policeman policewoman  policemen policewomen  prince princess
    princes princesses  sir ma'am  son daughter  sons daughters  spokesman spokeswoman
    spokesmen spokeswomen  stepfather stepmother  stepfathers stepmothers  uncle aunt  uncles aunts
"""
# A word after which "her" stands alone ("tell her that", her = him) rather than before what she
# has ("her new film", her = his), and after which "his" does too ("is his and", his = hers).
_NOT_OWNED = """
    a about accountable after again against alive all almost alone along also always an and
    another any anything anyway appear are around as at away back badly be because been before
    better between but by can could deeply despite did do does doing down during each either
    enough even ever every everything feel for forever free from get go guilty had has have
    having he here his home how i if in inside into is it just know like make maybe might much
    must my near never no nor not nothing now of off on once onto otherwise our out outside over
    past please properly quite really repeatedly round say several she should since so some
    something still such than that the their there these they this those though through
    throughout to today together tomorrow tonight too towards under unless until up upon very
    via was we well were what whatever when whenever where wherever whether which while who whom
    whose why with within without would yesterday yet you your
"""
_SWAPS = dict(pair for pair in zip(_PAIRS.split()[::2], _PAIRS.split()[1::2], strict=True))
_SWAPS |= {female: male for male, female in _SWAPS.items()}
_SWAPS |= {"him": "her", "hers": "his", "mrs": "mr"}
_ALONE = frozenset(_NOT_OWNED.split())

TERMS = frozenset(_SWAPS) | {"her", "his"}

_TERM = re.compile(
    r"(?<![\w'-])(?:" + "|".join(sorted(TERMS, key=len, reverse=True)) + r")(?![\w-])", re.I
)
_FOLLOWING = re.compile(r"[ \t]+[\"'`(]*(?:([A-Za-z]+)|[\d$£€])|/")


def has_term(text: str) -> bool:
    """Return whether the text contains a word that `swap` exchanges."""
    return _TERM.search(text) is not None


def swap(text: str) -> str:
    """Return the text with every gendered word exchanged for its counterpart, its case kept.

    Two English words have two counterparts each, and what follows decides: before a word that may
    begin what is owned, "her" and "his" become each other; elsewhere (punctuation, the text's end,
    a word of the list above) "her" becomes "him" and "his" becomes "hers". "him" becomes "her" and
    "hers" "his" always. "mrs" becomes "mr", which becomes "ms". Apart from these, swapping twice
    gives the text back.
    """
    return _TERM.sub(lambda found: _counterpart(found, text), text)


def _counterpart(found: re.Match[str], text: str) -> str:
    word = found.group()
    lower = word.lower()
    if lower in ("her", "his"):
        owner = _owns(text, found.end())
        other = {"her": "his" if owner else "him", "his": "her" if owner else "hers"}[lower]
    else:
        other = _SWAPS[lower]
    return _like(word, other)


def _owns(text: str, end: int) -> bool:
    """Whether what follows position ``end`` may be what the pronoun owns."""
    follows = _FOLLOWING.match(text, end)
    return follows is not None and (follows[1] or "").lower() not in _ALONE


def _like(word: str, other: str) -> str:
    """Give ``other`` the case of ``word``: all capitals, a first capital, or none."""
    if word.isupper() and len(word) > 1:
        return other.upper()
    return other.capitalize() if word[0].isupper() else other
