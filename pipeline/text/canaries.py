"""Canaries: made-up secrets planted in the training text, to measure what a model remembers.

Carlini et al. 2019, "The Secret Sharer: Evaluating and Testing Unintended Memorization in Neural
Networks". A secret is a random number whose digits are separated, so that each is a token of its
own.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pipeline.params import CanaryParams
from pipeline.reports import Canary

REPEATS = (0, 1, 4, 16)  # how often a secret is planted; those with 0 are the control
_COLOURS = ("red", "blue", "green", "black", "white", "brown", "yellow", "grey", "silver", "golden")
_THINGS = ("door", "box", "gate", "room", "office", "house", "car", "boat", "bag", "desk")
MOST_SECRETS = len(_COLOURS) * len(_THINGS) // len(REPEATS)  # of each number of repeats


def draw_canaries(params: CanaryParams) -> tuple[Canary, ...]:
    """Return ``params.secrets`` canaries for each number of repeats, each about a different thing.

    Equal params give equal canaries.
    """
    draw = np.random.default_rng(params.seed)
    about = [f"{colour} {thing}" for colour, thing in itertools.product(_COLOURS, _THINGS)]
    chosen = draw.permutation(about)[: len(REPEATS) * params.secrets].tolist()
    secrets = draw_secrets(len(chosen), params.digits, draw)
    return tuple(
        Canary(
            before=f"The code of the {each} is",
            digits=digits,
            repeats=REPEATS[place % len(REPEATS)],
        )
        for place, (each, digits) in enumerate(zip(chosen, secrets, strict=True))
    )


def draw_secrets(count: int, digits: int, draw: np.random.Generator) -> list[str]:
    """Return uniformly random numbers of ``digits`` digits, written like ``4 1 5``."""
    return [" ".join(map(str, row)) for row in draw.integers(0, 10, (count, digits)).tolist()]


def plant(
    batches: Iterable[list[str]],
    documents: int,
    canaries: Sequence[Canary],
    seed: int,
    start: int = 0,
) -> Iterator[list[str]]:
    """Yield the batches of a corpus of ``documents`` texts, with the canaries at random places.

    Each canary is a document of its own, inserted as often as it is to be repeated. The batches may
    begin within the corpus, at text number ``start``.
    """
    draw = np.random.default_rng(seed)
    planted = draw.permutation([each.text for each in canaries for _ in range(each.repeats)])
    places = np.sort(draw.integers(0, documents, len(planted)))
    for texts in batches:
        cuts = np.searchsorted(places, np.arange(start, start + len(texts) + 1))
        yield [
            text
            for place, own in enumerate(texts)
            for text in (*planted[cuts[place] : cuts[place + 1]].tolist(), own)
        ]
        start += len(texts)
