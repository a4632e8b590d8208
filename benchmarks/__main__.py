"""``python -m benchmarks [NAME]``: run one comparison, or all, and keep it in RESULTS.md."""

import argparse
import datetime
import importlib
import importlib.metadata
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline import files

COMPARISONS = (  # modules of this package; those that take longest come last
    "loader",
    "progress",
    "features",
    "head",
    "linear",
    "score",
    "formats",
    "crows",
    "pretrain",
    "recipe",
    "speedrun",
    "ablation",
    "accuracy",
    "canaries",
    "overhead",
    "workers",
    "data",
    "noop",
)
RESULTS = Path(__file__).with_name("RESULTS.md")
_NOTES = "Notes:"  # what follows it in a section is written by hand, and kept
_TITLE = """# Results

Ratios against named rivals, timed in turns. `python -m benchmarks` writes a section down to its
line `Notes:`; what follows that is written by hand, of runs of its day, and a new run keeps it.
The section `crash` is of `make crash`, and by hand.

No GPU was at hand, and a processor with bfloat16 only where a section names it: what they would
give elsewhere is not measured.
"""


def main() -> None:
    """Print the comparisons asked for, and write each below its heading."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=COMPARISONS, help="all if left out")
    parser.add_argument("--rows", type=int, help="documents of `data`")
    parser.add_argument("--runs", type=int, help="of `noop`")
    parser.add_argument("--minutes", type=float, help="of `speedrun`")
    parsed = parser.parse_args()
    sizes = {"data": parsed.rows, "noop": parsed.runs, "speedrun": parsed.minutes}
    for each in [parsed.name] if parsed.name else COMPARISONS:
        compare = importlib.import_module(f"benchmarks.{each}").compare
        found = compare(sizes[each]) if sizes.get(each) else compare()
        lines = [_machine(), "", *found]
        print("\n".join(lines), flush=True)
        _keep(each, lines)


def _machine() -> str:
    versions = (f"{name} {importlib.metadata.version(name)}" for name in ("torch", "transformers"))
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    python = f"Python {platform.python_version()}"
    return ", ".join([str(datetime.date.today()), cpu, python, *versions])


def _keep(name: str, lines: Sequence[str]) -> None:
    """Put the lines in the place of the comparison's last ones."""
    text = RESULTS.read_text() if RESULTS.is_file() else _TITLE
    files.write_text(RESULTS, replace_section(text, name, lines))


def replace_section(text: str, name: str, lines: Sequence[str]) -> str:
    """Return the results with these lines as a comparison's section, whose notes stay."""
    made = f"\n## {name}\n\n" + "\n".join(lines) + "\n"
    old = re.search(rf"\n## {re.escape(name)}\n.*?(?=\n## |\Z)", text, re.DOTALL)
    if old is None:
        return text + made
    notes = re.search(rf"\n{_NOTES}\n.*", old[0], re.DOTALL)
    return text[: old.start()] + made + (notes[0] if notes else "") + text[old.end() :]


if __name__ == "__main__":
    main()
