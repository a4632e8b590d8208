"""What a stage is sent with, so that a worker runs the same one: a commit and four files."""

import subprocess
from pathlib import Path

from pipeline import layout
from pipeline.errors import InputError
from pipeline.files import write_text

# These may differ from the commit: the first two are set for a run, a run records the others.
SENT = tuple(map(str, (layout.PARAMS, layout.POLICY, "data.dvc", "dvc.lock")))


def commit() -> str:
    """Return the commit that this clone is at.

    Raises:
        InputError: outside git, or naming a file that differs from the commit and is not sent.
    """
    changed = _git("status", "--porcelain", "--", ".", *(f":(top,exclude){name}" for name in SENT))
    if changed:
        raise InputError(
            f"{changed.splitlines()[0][3:]}: not as committed, and workers have only commits; "
            "commit it, push it, and pull it where the workers are"
        )
    return _git("rev-parse", "HEAD")


def files() -> dict[str, str]:
    """Return the texts of the files that are sent, by name, as far as they exist."""
    return {name: Path(name).read_text("utf-8") for name in SENT if Path(name).is_file()}


def write(sent: dict[str, str]) -> None:
    """Write the files that were sent, and remove those of `SENT` that were not.

    Raises:
        InputError: where a file is none of `SENT`.
    """
    if foreign := sent.keys() - set(SENT):
        raise InputError(f"{sorted(foreign)[0]}: workers accept only {', '.join(SENT)}")
    for name in SENT:
        if name in sent:
            write_text(Path(name), sent[name])
        else:
            Path(name).unlink(missing_ok=True)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"git {arguments[0]}: {done.stderr.strip()}; workers need a git clone")
    return done.stdout.rstrip()
