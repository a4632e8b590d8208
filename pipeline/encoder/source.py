"""Where a model or a tokenizer comes from: a directory here, or the Hugging Face hub."""

import re
from pathlib import Path

from pipeline.errors import InputError

_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def check_source(name: str, key: str) -> None:
    """Raise `InputError` where ``name`` is neither a directory nor could be a hub id.

    ``key`` is the params.yaml key that holds the name. A directory whose weights are pickle
    only is refused, because loading a pickle runs whatever code it holds.
    """
    folder = Path(name)
    if not folder.is_dir():
        if not _HUB_ID.fullmatch(name):
            raise InputError(
                f"{key}: no directory {name}; run `python -m pipeline ingest`, or name another"
            )
        return
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in {".bin", ".pt"})
    if pickles and not any(folder.glob("*.safetensors")):
        raise InputError(
            f"{key}: {folder / pickles[0]}: pickle is not read; convert it to safetensors "
            "(load it where you trust it, then save_pretrained)"
        )


def cannot_load(name: str, key: str, error: Exception) -> InputError:
    """Return the error for a source that transformers could not load."""
    place = "the directory" if Path(name).is_dir() else "the Hugging Face hub (no such directory)"
    return InputError(f"{key}: {name}: cannot be loaded from {place}: {first_line(error)}")


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its class where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
