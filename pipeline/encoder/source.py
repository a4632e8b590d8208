"""Where a model or a tokenizer comes from: a directory here, or the Hugging Face hub."""

import json
import re
from pathlib import Path

from pipeline.errors import InputError

RUNS_CODE = {".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth", ".py"}
_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def check_source(name: str, key: str) -> None:
    """Raise `InputError` if ``name`` is neither a directory nor a possible hub id.

    ``key`` is the params.yaml key that holds the name. A directory that holds a pickle or other
    code is refused, although nothing here would run it: others who load it might.
    """
    folder = Path(name)
    if not name or not folder.is_dir():
        misspelt = "/" in name and folder.parent.is_dir()  # a folder's, and no hub id
        if misspelt or not _HUB_ID.fullmatch(name):
            raise InputError(
                f"{key}: no directory {name}; run `python -m pipeline ingest`, or name another"
            )
        return
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in RUNS_CODE:
            raise InputError(
                f"{key}: {path}: neither pickle nor other code is read; remove it, or convert it "
                "to safetensors (load it where you trust it, then save_pretrained)"
            )
    for path in sorted(folder.rglob("*.json")):
        if _names_code(path):
            raise InputError(f"{key}: {path}: auto_map names code; it is not run: remove it")


def _names_code(path: Path) -> bool:
    """Say whether a config has the key by which transformers finds code beside the weights."""
    try:
        config = json.loads(path.read_bytes())
    except ValueError:  # reported when the file is needed
        return False
    return isinstance(config, dict) and "auto_map" in config


def cannot_load(name: str, key: str, error: Exception) -> InputError:
    """Return the error for a source that transformers could not load."""
    place = "the directory" if Path(name).is_dir() else "the Hugging Face hub (no such directory)"
    return InputError(f"{key}: {name}: cannot be loaded from {place}: {first_line(error)}")


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its class where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
