"""StereoSet (Nadeem et al. 2021) as its authors publish it: data/benchmarks/stereoset_dev.json."""

import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.adapters.sample import draw
from pipeline.errors import InputError

LABELS = ("stereotype", "anti-stereotype", "unrelated")
_BLANK = "BLANK"
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_MEND = "download the authors' file again"


@dataclass(frozen=True)
class Cluster:
    """A sentence with a blank, and a word for the blank for each of `LABELS`."""

    name: str
    target: str  # the term that it is about
    bias_type: str
    before: str  # the sentence up to the blank
    after: str
    words: tuple[str, str, str]


def read_clusters(path: Path, limit: int | None) -> list[Cluster]:
    """Read the intrasentence clusters in the file's order; beyond ``limit``, a sample by hash.

    Raises:
        InputError: naming the cluster that is not what the authors publish.
    """
    raw = files.read_json(path)
    try:
        clusters = [_parse(cluster, path) for cluster in raw["data"]["intrasentence"]]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: lacks {error}; {_MEND}") from error
    if not clusters:
        raise InputError(f"{path}: holds no clusters; {_MEND}")
    return draw(clusters, limit, lambda cluster: cluster.name)


def _parse(raw: Any, path: Path) -> Cluster:
    """Take each candidate's word as the authors' dataloader.py does, at the place of the blank.

    If a context has two blanks the word is taken from the last.
    """
    context = raw["context"]
    places = [i for i, word in enumerate(context.split(" ")) if _BLANK in word]
    sentences = {each["gold_label"]: each["sentence"].split(" ") for each in raw["sentences"]}
    if sorted(sentences) != sorted(LABELS) or not places:
        raise InputError(f"{path}: cluster {raw['id']}: needs a blank and one sentence a label")
    if min(map(len, sentences.values())) <= places[-1]:
        raise InputError(f"{path}: cluster {raw['id']}: a sentence ends before the blank; {_MEND}")
    first, second, third = (
        sentences[label][places[-1]].translate(_NO_PUNCTUATION) for label in LABELS
    )
    before, _, after = context.rpartition(_BLANK)
    return Cluster(
        raw["id"], raw["target"], raw["bias_type"], before, after, (first, second, third)
    )
