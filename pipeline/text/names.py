"""The same text with first names that are more common in one group than in another.

The lists are those of the word-embedding association tests of Caliskan et al. (2017, supplementary
materials): WEAT 6 for gender, WEAT 4 for race (chosen there from Bertrand and Mullainathan 2004),
WEAT 10 for age. They are names from the United States of that time; no name tells who bears it.
"""

import itertools
import re
from dataclasses import dataclass

from pipeline.text.identity_templates import FRAMES, Comparison


@dataclass(frozen=True)
class NamePair:
    """Two groups' names, which correspond one to one."""

    name: str  # "A vs B"
    first: tuple[str, ...]
    second: tuple[str, ...]


# Left out: Kenya with Emily, and Bill with Donna, since texts may mean the country and a law.
PAIRS = (
    NamePair(
        "men vs women",
        ("John", "Paul", "Mike", "Kevin", "Steve", "Greg", "Jeff"),
        ("Amy", "Joan", "Lisa", "Sarah", "Diana", "Kate", "Ann"),
    ),
    NamePair(
        "European American vs African American",
        (
            *("Brad", "Brendan", "Geoffrey", "Greg", "Brett", "Matthew", "Neil", "Todd"),
            *("Allison", "Anne", "Carrie", "Jill", "Laurie", "Meredith", "Sarah"),
        ),
        (
            *("Darnell", "Hakim", "Jermaine", "Kareem", "Jamal", "Leroy", "Rasheed", "Tyrone"),
            *("Aisha", "Ebony", "Keisha", "Lakisha", "Latoya", "Tamika", "Tanisha"),
        ),
    ),
    NamePair(
        "young vs old",
        ("Tiffany", "Michelle", "Cindy", "Kristy", "Brad", "Eric", "Joey", "Billy"),
        ("Ethel", "Bernice", "Gertrude", "Agnes", "Cecil", "Wilbert", "Mortimer", "Edgar"),
    ),
)


def rename(text: str, pair: NamePair) -> tuple[str, str] | None:
    """Return the text with only the first group's names, and with only the second's.

    Names are exchanged whole and as they are written in the lists, each for its counterpart. None
    where the text has no name of either group.
    """
    counterparts = dict(zip(pair.first + pair.second, pair.second + pair.first, strict=True))
    if not _finder((*counterparts,)).search(text):
        return None
    as_first = _finder(pair.second).sub(lambda found: counterparts[found[0]], text)
    as_second = _finder(pair.first).sub(lambda found: counterparts[found[0]], text)
    return as_first, as_second


def _finder(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{'|'.join(names)})(?![\w-])")


def comparisons() -> tuple[Comparison, ...]:
    """Return the frames of the identity templates with a name in place of a person, per pair."""
    frames = [re.sub("[Tt]he {}", "{}", frame) for frame in FRAMES]

    def filled(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(frame.format(name) for frame, name in itertools.product(frames, names))

    return tuple(
        Comparison(
            f"identity: names, {pair.name}", "names", filled(pair.first), filled(pair.second)
        )
        for pair in PAIRS
    )
