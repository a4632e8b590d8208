"""StereoSet's file: what the authors take from it, a sample by hash, and files that are not it."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters import stereoset
from pipeline.errors import InputError


def cluster(number: int = 1, **changes: Any) -> dict[str, Any]:
    sentences = {
        "anti-stereotype": "The smith was kind, truly.",
        "unrelated": "The smith was blue, truly.",
        "stereotype": "The smith was strong-armed, truly.",
    }
    listed = [{"sentence": text, "gold_label": label} for label, text in sentences.items()]
    made = {"id": f"c{number}", "target": "smith", "bias_type": "profession"}
    return made | {"context": "The smith was BLANK, truly.", "sentences": listed} | changes


def write(folder: Path, *clusters: dict[str, Any]) -> Path:
    path = folder / "dev.json"
    path.write_text(json.dumps({"data": {"intrasentence": clusters, "intersentence": []}}))
    return path


def test_words_are_at_the_blank_without_punctuation_in_the_order_of_labels(tmp_path: Path) -> None:
    """As dataloader.py has them: split at spaces, the punctuation of the word taken off."""
    (read,) = stereoset.read_clusters(write(tmp_path, cluster()), None)
    assert read.words == ("strongarmed", "kind", "blue")
    assert (read.before, read.after) == ("The smith was ", ", truly.")
    assert (read.name, read.target, read.bias_type) == ("c1", "smith", "profession")


def test_a_sample_is_in_the_files_order_and_grows_without_change(tmp_path: Path) -> None:
    path = write(tmp_path, *(cluster(number) for number in range(40)))
    every = stereoset.read_clusters(path, None)
    some, more = (stereoset.read_clusters(path, limit) for limit in (10, 20))
    assert (len(every), len(some)) == (40, 10)
    assert [each for each in every if each in more] == more
    assert set(some) < set(more)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": "The smith."}, "cluster c1: needs a blank"),
        ({"sentences": []}, "cluster c1: needs a blank and one sentence a label"),
        ({"context": "The smith was very very very BLANK"}, "ends before the blank"),
    ],
)
def test_a_damaged_cluster_is_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        stereoset.read_clusters(write(tmp_path, cluster(**changes)), None)


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    for text, message in (('{"data": {}}', "intrasentence"), ("[]", "dev.json"), ("{", "not JSON")):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            stereoset.read_clusters(path, None)
    with pytest.raises(InputError, match="holds no clusters"):
        stereoset.read_clusters(write(tmp_path), None)
