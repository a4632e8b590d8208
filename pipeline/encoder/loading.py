"""Models from directories that earlier stages wrote: safetensors only, quietly, in float32."""

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForMaskedLM

from pipeline.errors import InputError


def device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_encoder(model_dir: Path) -> Any:
    """Load the encoder of a masked-LM directory, frozen and in eval mode, without a pooler."""
    encoder = load_model(AutoModelForMaskedLM, model_dir).base_model
    return encoder.requires_grad_(False).eval()


def load_model(kind: Any, model_dir: Path, **options: Any) -> Any:
    """Load a model by one of transformers' auto classes from a directory, nothing from the hub.

    Raises:
        InputError: where the directory holds no such model in safetensors.
    """
    if not (model_dir / "config.json").is_file():
        raise InputError(f"{model_dir}: holds no model; run the stage that writes it first")
    verbosity = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()  # a new head is said by us
    transformers.utils.logging.disable_progress_bar()
    try:
        model = kind.from_pretrained(
            model_dir,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            **options,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(f"{model_dir}: cannot be loaded: {str(error).splitlines()[0]}") from error
    finally:
        transformers.utils.logging.set_verbosity(verbosity)
    return model.to(device())
