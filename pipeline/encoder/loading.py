"""Loading models that earlier stages wrote: from safetensors only, in float32, without output."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForMaskedLM

from pipeline.encoder.source import first_line
from pipeline.errors import InputError


def device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_encoder(model_dir: Path) -> Any:
    """Load the encoder of a masked-LM directory, frozen and in eval mode, without a pooler."""
    encoder = load_model(AutoModelForMaskedLM, model_dir).base_model
    return encoder.requires_grad_(False).eval()


def load_config(model_dir: Path, **changes: Any) -> Any:
    """Read a model's config, with these changes; the hub is not contacted.

    Raises:
        InputError: where the directory holds no config that transformers knows.
    """
    if not (model_dir / "config.json").is_file():
        raise InputError(f"{model_dir}: holds no model; run `dvc repro` first, which writes it")
    try:
        return AutoConfig.from_pretrained(model_dir, local_files_only=True, **changes)
    except (OSError, ValueError, KeyError) as error:
        raise _cannot_load(model_dir, error) from error


def load_model(kind: Any, model_dir: Path, config: Any = None, new_head: bool = False) -> Any:
    """Load a model by one of transformers' auto classes from a directory; the hub is not contacted.

    If ``new_head`` is true, weights that the directory lacks are drawn from torch's generator.

    Raises:
        InputError: where the directory holds no such model in safetensors, or lacks weights.
    """
    config = config or load_config(model_dir)
    try:
        with quiet_transformers():
            model, loading = kind.from_pretrained(
                model_dir,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise _cannot_load(model_dir, error) from error
    if loading["missing_keys"] and not new_head:
        lost = min(loading["missing_keys"])
        raise InputError(f"{model_dir}: lacks the weights {lost}; run the stage that writes it")
    return model.to(device())


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers from listing the weights that a model lacks: the caller reports them."""
    verbosity = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.utils.logging.set_verbosity(verbosity)


def _cannot_load(model_dir: Path, error: Exception) -> InputError:
    return InputError(f"{model_dir}: cannot be loaded ({first_line(error)}); make it again")
