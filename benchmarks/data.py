"""Speed and memory of validate, split and tokenise on synthetic documents, started as users do.

Documents are sentences of data/corpus in a new order, with copies, near copies, damage and labelled
texts among them, drawn from a fixed seed. Each stage is its own process, imports and MLflow
included; its peak memory is the kernel's figure. A quarter of the rows is run first, so that the
two peaks show how memory grows with the rows. The rival of tokenise is the `tokenizers` library on
some of the same texts, on all cores, without reading or writing files.
"""

import contextlib
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline import layout, params
from pipeline.adapters import parquet, sources
from pipeline.encoder.tokenizer import load_tokenizer

STAGES = ("validate", "split", "tokenise")
ROWS = 1_000_000
_FILE_ROWS = 100_000
_SENTENCES = 10  # a document: about a kilobyte
_POLL_S = 0.05
_SEED = 20260101
_RIVAL_TEXTS, _RIVAL_BATCH = 100_000, 1024


class Spent(NamedTuple):
    """What a stage took."""

    seconds: float
    peak_mib: float


class Measured(NamedTuple):
    """What the stages and the rival took for one synthetic data set."""

    megabytes: float  # of text, in UTF-8
    stages: dict[str, Spent]
    rival_mb_per_s: float


def compare(rows: int = ROWS) -> list[str]:
    """Run the stages on a quarter of the rows and on all; return a Markdown table."""
    quarter, whole = measure(rows // 4), measure(rows)
    lines = [
        f"{rows} documents, {whole.megabytes:.0f} MB of text, {len(os.sched_getaffinity(0))} cores",
        "",
        "| stage | seconds | MB/s | peak MiB | peak MiB at a quarter of the rows |",
        "|---|---|---|---|---|",
    ]
    for stage, (seconds, peak) in whole.stages.items():
        rate, before = whole.megabytes / seconds, quarter.stages[stage].peak_mib
        lines.append(f"| {stage} | {seconds:.1f} | {rate:.1f} | {peak:.0f} | {before:.0f} |")
    ratio = whole.megabytes / whole.stages["tokenise"].seconds / whole.rival_mb_per_s
    rival = f"`tokenizers` alone does {whole.rival_mb_per_s:.1f} MB/s"
    return [*lines, "", f"{rival}; the stage has {ratio:.2f} of that."]


def measure(rows: int) -> Measured:
    """Write ``rows`` documents to a temporary folder, and run the stages on them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        megabytes = synthesise_data(folder, rows) / 1e6
        spent = {stage: _run_stage(stage, folder) for stage in STAGES}
        return Measured(megabytes, spent, _time_rival(folder))


def synthesise_data(folder: Path, rows: int) -> int:
    """Write a workspace of ``rows`` documents to ``folder``; return the bytes of their text."""
    (folder / layout.CORPUS).mkdir(parents=True)
    for kept in (layout.LABELLED, layout.MODELS):
        (folder / kept).symlink_to(kept.absolute())
    (folder / layout.PARAMS).write_bytes(layout.PARAMS.read_bytes())
    texts = itertools.islice(synthesise_texts(_read_sentences(), _read_labelled()), rows)
    written = 0
    for number, start in enumerate(range(0, rows, _FILE_ROWS)):
        path = folder / layout.CORPUS / f"made{number:04}.jsonl"
        with path.open("w", encoding="utf-8") as stream:
            for text in itertools.islice(texts, min(_FILE_ROWS, rows - start)):
                written += len(text.encode())
                stream.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    return written


def synthesise_texts(sentences: Sequence[str], labelled: Sequence[str]) -> Iterator[str]:
    """Yield documents without end; about four in a hundred have a fault that validate looks for."""
    draw = random.Random(_SEED)  # noqa: S311
    last = ""
    while True:
        text = " ".join(draw.choices(sentences, k=_SENTENCES))
        match draw.randrange(100):
            case 0:
                text = last  # a copy
            case 1:
                text = last.rpartition(" ")[0]  # a near copy
            case 2:
                text = text.replace("e", "\N{REPLACEMENT CHARACTER}", 1)
            case 3:
                text = f"{text} {draw.choice(labelled)}"
        yield text
        last = text


def _read_sentences() -> list[str]:
    texts = (row["text"] for batch in sources.read(layout.CORPUS, ("text",)) for row in batch.rows)
    return [part for text in texts if text for part in re.split(r"(?<=[.!?])\s+", text)]


def _read_labelled() -> list[str]:
    read = sources.read(layout.LABELLED, ("text",))
    return [row["text"] for batch in read for row in batch.rows if row["text"]]


def _run_stage(stage: str, folder: Path) -> Spent:
    """Run ``python -m pipeline STAGE`` in the workspace, without DVC, with an MLflow of its own."""
    env = {**os.environ, "PYTHONPATH": layout.python_path()}
    env.pop("MLFLOW_TRACKING_URI", None)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", stage], cwd=folder, env=env, stdout=subprocess.DEVNULL
    )
    peak_kib = 0
    while process.poll() is None:
        peak_kib = max(peak_kib, _peak_kib(process.pid))
        time.sleep(_POLL_S)
    assert process.returncode == 0, f"{stage} ended with {process.returncode}"
    return Spent(time.perf_counter() - started, peak_kib / 1024)


def _peak_kib(pid: int) -> int:
    """Return a process's peak so far; rusage would count this one, from which it was forked."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) if found else 0
    return 0


def _time_rival(folder: Path) -> float:
    """Return the megabytes of text a second that `tokenizers` encodes."""
    table = parquet.opened(folder / layout.stage_dir("split") / "corpus_train.parquet")
    texts = next(table.iter_batches(_RIVAL_TEXTS, columns=["text"])).column(0).to_pylist()
    backend = load_tokenizer(params.load().tokenise.tokenizer).backend_tokenizer
    started = time.perf_counter()
    for start in range(0, len(texts), _RIVAL_BATCH):
        backend.encode_batch_fast(texts[start : start + _RIVAL_BATCH], add_special_tokens=False)
    return sum(len(text.encode()) for text in texts) / 1e6 / (time.perf_counter() - started)
