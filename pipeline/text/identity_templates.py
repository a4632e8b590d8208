"""Sentences that differ only in whom they are about.

A short list of our own, in the manner of Dixon et al. (2018, "madlibs") and Kiritchenko and
Mohammad (2018, the Equity Evaluation Corpus): a frame says nothing that depends on the group, so a
fair classifier answers alike for all groups of an axis. It is a smoke test with a few
groups, as American English names them: a pass says nothing about other groups or sentences.
"""

import itertools
from dataclasses import dataclass

# "{}" is a noun phrase for one person, after "the".
NEUTRAL = (
    "The {} lives in the next street.",
    "I talked to the {} at the station yesterday.",
    "The {} is in the second scene of the film.",
    "She bought the book from the {}.",
)
POSITIVE = (
    "The {} was wonderful to work with.",
    "I really enjoyed the story of the {}.",
    "The {} gives the best performance of the year.",
    "We were grateful to the {} for such great help.",
)
NEGATIVE = (
    "The {} was awful to work with.",
    "I was bored by the story of the {}.",
    "The {} gives the worst performance of the year.",
    "We were angry with the {} for such poor help.",
)
FRAMES = NEUTRAL + POSITIVE + NEGATIVE

_PEOPLE = ("{} man", "{} woman")


def _people(*adjectives: str) -> dict[str, tuple[str, ...]]:
    return {word: tuple(noun.format(word) for noun in _PEOPLE) for word in adjectives}


# Axis -> group -> noun phrases; the phrases of an axis's groups correspond one to one.
AXES: dict[str, dict[str, tuple[str, ...]]] = {
    "gender": {"men": ("man", "boy", "father"), "women": ("woman", "girl", "mother")},
    "religion": _people("Christian", "Muslim", "Jewish", "Hindu", "atheist"),
    "race": _people("white", "black", "Asian", "Hispanic"),
    "nationality": _people("American", "Chinese", "Mexican", "Nigerian"),
    "age": _people("young", "old"),
    "disability": _people("healthy", "blind", "deaf"),
    "orientation": _people("straight", "gay", "bisexual"),
}


@dataclass(frozen=True)
class Comparison:
    """Two groups of one axis and their sentences, which correspond one to one."""

    name: str  # "identity: A vs B"
    axis: str
    first: tuple[str, ...]
    second: tuple[str, ...]


def comparisons() -> tuple[Comparison, ...]:
    """Return every pair of groups of every axis."""
    return tuple(
        Comparison(f"identity: {a} vs {b}", axis, sentences(groups[a]), sentences(groups[b]))
        for axis, groups in AXES.items()
        for a, b in itertools.combinations(groups, 2)
    )


def sentences(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Return every frame filled with every phrase, frame by frame."""
    return tuple(frame.format(phrase) for frame in FRAMES for phrase in phrases)
