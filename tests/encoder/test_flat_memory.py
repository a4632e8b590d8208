"""One pass over a corpus four times the memory that the process may have.

The limit is RLIMIT_DATA, which the kernel applies to memory that a process has for itself (heap,
anonymous maps). Pages of a mapped file are not in it: they are the page cache's, which gives them
back under pressure. A loader that copied the corpus would fail with MemoryError.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.encoder.tokens import appending, ids_path, offsets_path

ROOT = Path(__file__).parents[2]
LIMIT_BYTES = 96 << 20
_DOCUMENT_TOKENS = 1000
_READER = """
import json, resource, sys
from pathlib import Path
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
import numpy as np
from pipeline.encoder.batches import Packing, step_sequences
from pipeline.encoder.tokens import Vocabulary, open_tokens
assert "torch" not in sys.modules

def own_kib():
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0])

tokens = open_tokens(Path(sys.argv[1]), "train")
packing = Packing(tokens, Vocabulary(50, 0, 2, 3, 4, (0, 1, 2, 3, 4)), 16384)
steps, total, used = -(-packing.sequences // 16), 0, []
for step in range(steps):
    numbers = step_sequences(step, 16, packing.sequences, seed=1)
    inside = numbers[step * 16 + np.arange(16) < packing.sequences]
    ids, _ = packing.rows(inside)
    total += int((ids >= 5).sum())
    used.append(own_kib())
print(json.dumps({"total": total, "used": [used[steps // 10], max(used)]}))
"""


def _write_corpus(folder: Path, size_bytes: int) -> int:
    count = size_bytes // 2 // _DOCUMENT_TOKENS * _DOCUMENT_TOKENS
    chunk = np.random.default_rng(0).integers(5, 50, 1000 * _DOCUMENT_TOKENS).astype(np.uint16)
    with appending(ids_path(folder, "train"), np.uint16) as append:
        for start in range(0, count, len(chunk)):
            append(chunk[: count - start])
    with appending(offsets_path(folder, "train"), np.int64) as append:
        append(np.arange(0, count + 1, _DOCUMENT_TOKENS))
    return count


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA binds on Linux only")
def test_a_corpus_four_times_the_limit_is_read_in_flat_memory(tmp_path: Path) -> None:
    """Every token once; and what the process has for itself is the same at a tenth and at most."""
    count = _write_corpus(tmp_path, 4 * LIMIT_BYTES)
    assert ids_path(tmp_path, "train").stat().st_size > 3.99 * LIMIT_BYTES
    done = subprocess.run(
        [sys.executable, "-c", _READER, str(tmp_path), str(LIMIT_BYTES)],
        cwd=ROOT, env={"OPENBLAS_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["total"] == count
    early, most = seen["used"]
    assert most < early + 4096  # KiB
