"""Masked language models of transformers: making, loading, computing logits, saving."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.attention.flex_attention import BlockMask, create_block_mask
from transformers import AutoConfig, AutoModelForMaskedLM, BertConfig, ModernBertConfig

from pipeline.encoder import source
from pipeline.encoder.loading import quiet_transformers
from pipeline.encoder.tokens import Vocabulary
from pipeline.errors import InputError
from pipeline.params import PretrainParams

FLEX = "flex_attention"  # transformers' name
HEAD_WIDTH = 64  # of an attention head; narrower models have one head

# model_type -> the module between the encoder's last hidden state and the output layer
_TRANSFORMS: Mapping[str, Callable[[Any], nn.Module]] = {
    "bert": lambda model: model.cls.predictions.transform,
    "modernbert": lambda model: model.head,
}
DROPOUTS: Mapping[str, tuple[str, ...]] = {  # model_type -> what its config calls them
    "bert": ("hidden_dropout_prob", "attention_probs_dropout_prob"),
    "modernbert": ("embedding_dropout", "attention_dropout", "mlp_dropout"),
}


@dataclass(frozen=True)
class Start:
    """A model to pretrain, and which of its parameters are new."""

    model: Any  # a transformers ...ForMaskedLM
    new: frozenset[str]  # names of the parameters that were made new
    dropouts: Mapping[str, float]  # its config's dropouts before training set them


def start_model(params: PretrainParams, tokenizer: Any, vocabulary: Vocabulary) -> Start:
    """Make or load the model that ``params`` ask for, with new weights drawn from ``params.seed``.

    Raises:
        InputError: where it cannot be loaded, or does not fit the tokenizer or the length.
    """
    config = _new_config(params, vocabulary) if params.init == "scratch" else _read_config(params)
    _check_config(config, params, vocabulary)
    dropouts = {name: getattr(config, name) for name in DROPOUTS[config.model_type]}
    for name in dropouts:
        setattr(config, name, params.dropout)
    if params.init == "scratch":
        model = untrained_model(config, params.seed)
        new = frozenset(name for name, _ in model.named_parameters())
    else:
        _check_tokenizer(params.init, tokenizer)
        model, new = _continue(params, config)
    if params.attention == "flex":
        model.set_attn_implementation(FLEX)
    return Start(model, new, dropouts)


def untrained_model(config: Any, seed: int) -> Any:
    """Return a model with new weights, a function of the config and the seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return AutoModelForMaskedLM.from_config(config)


def _new_config(params: PretrainParams, vocabulary: Vocabulary) -> Any:
    """Return a config: ModernBERT's gated layer is narrower than BERT's (Warner et al. 2024)."""
    heads = max(1, params.hidden // HEAD_WIDTH)
    if params.hidden % heads:
        raise InputError(f"pretrain.hidden: {params.hidden} is no multiple of {HEAD_WIDTH}")
    sizes = {
        "vocab_size": vocabulary.size,
        "hidden_size": params.hidden,
        "num_hidden_layers": params.layers,
        "num_attention_heads": heads,
        "max_position_embeddings": params.seq_len_tokens,
        "pad_token_id": vocabulary.pad_id,
    }
    if params.architecture == "bert":
        return BertConfig(intermediate_size=4 * params.hidden, **sizes)
    cls_id, sep_id = vocabulary.cls_id, vocabulary.sep_id
    ends = {"cls_token_id": cls_id, "bos_token_id": cls_id}
    ends |= {"sep_token_id": sep_id, "eos_token_id": sep_id}
    return ModernBertConfig(intermediate_size=3 * params.hidden // 2, **sizes, **ends)


def _read_config(params: PretrainParams) -> Any:
    source.check_source(params.init, "pretrain.init")
    try:
        return AutoConfig.from_pretrained(params.init)
    except (OSError, ValueError, KeyError) as error:
        raise source.cannot_load(params.init, "pretrain.init", error) from error


def _check_config(config: Any, params: PretrainParams, vocabulary: Vocabulary) -> None:
    if config.model_type not in _TRANSFORMS:
        known = " or ".join(_TRANSFORMS)
        raise InputError(f"pretrain.init: {params.init} is a {config.model_type}; use {known}")
    if vocabulary.size > config.vocab_size:
        raise InputError(
            f"pretrain.init: {params.init} embeds {config.vocab_size} tokens and the tokenizer "
            f"has {vocabulary.size}; set tokenise.tokenizer to {params.init}"
        )
    if params.seq_len_tokens > config.max_position_embeddings:
        raise InputError(
            f"pretrain.seq_len_tokens: {params.seq_len_tokens} is more than the "
            f"{config.max_position_embeddings} positions of {params.init}; lower it"
        )


def _check_tokenizer(name: str, tokenizer: Any) -> None:
    """Check that the model's own tokenizer has the same ids as build/tokenise/tokenizer."""
    from pipeline.encoder.tokenizer import load_tokenizer

    own = load_tokenizer(name, "pretrain.init")
    if own.get_vocab() != tokenizer.get_vocab():
        raise InputError(
            f"pretrain.init: {name} has {len(own)} tokens of its own and the corpus was tokenised "
            f"with {len(tokenizer)} others; set tokenise.tokenizer to {name}"
        )


def _continue(params: PretrainParams, config: Any) -> tuple[Any, frozenset[str]]:
    try:
        with quiet_transformers(), torch.random.fork_rng():
            torch.manual_seed(params.seed)
            model, loading = AutoModelForMaskedLM.from_pretrained(
                params.init,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise source.cannot_load(params.init, "pretrain.init", error) from error
    missing = set(loading["missing_keys"])
    _check_weights(model, missing, params.init)
    return model, frozenset(name for name, _ in model.named_parameters() if name in missing)


def _check_weights(model: Any, missing: set[str], name: str) -> None:
    inner = {f"{model.base_model_prefix}.{key}" for key in model.base_model.state_dict()}
    if lost := sorted(missing & inner):
        raise InputError(f"pretrain.init: {name}: lacks the weights {lost[0]}; get it again")
    for key, weights in model.named_parameters():
        if not torch.isfinite(weights).all():
            raise InputError(f"pretrain.init: {name}: {key} holds NaN or infinity; get it again")


def masked_logits(
    model: Any, ids: torch.Tensor, segments: torch.Tensor, positions: torch.Tensor
) -> torch.Tensor:
    """Return the logits at the positions only, (B, M, V).

    ``ids`` and ``segments`` are (B, T): a token sees those of its own segment, in which positions
    are counted from 0; padding is segment 0. ``positions`` are (B, M) within the rows. The head is
    the costliest layer of a small model and treats each token separately, so it is given only the
    M tokens that are needed, not all T.
    """
    return logits_at(model, hidden_states(model, ids, segments), positions)


def hidden_states(model: Any, ids: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
    """Return the encoder's last hidden states, (B, T, H); see `masked_logits`."""
    hidden: torch.Tensor = model.base_model(
        input_ids=ids,
        attention_mask=_attention_mask(model.config, segments),
        position_ids=count_positions(segments),
    ).last_hidden_state
    return hidden


def logits_at(model: Any, hidden: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Return the head's logits at the positions, (B, M, V); see `masked_logits`."""
    given = transformed(model, take(hidden, positions))
    logits: torch.Tensor = model.get_output_embeddings()(given)
    return logits.reshape(*positions.shape, -1)


def take(hidden: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Return the hidden states (B, T, H) at positions (B, M) within the rows, as (B * M, H)."""
    return hidden.flatten(0, 1).index_select(0, flat_positions(positions, hidden.shape[1]))


def flat_positions(positions: torch.Tensor, T: int) -> torch.Tensor:
    """Return positions (B, M) within the rows as positions among all B * T tokens, (B * M,)."""
    rows = torch.arange(len(positions), device=positions.device)
    return (positions + T * rows[:, None]).flatten()


def transformed(model: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Return the output layer's input for last hidden states, both (N, H)."""
    given: torch.Tensor = _TRANSFORMS[model.config.model_type](model)(hidden)
    return given


def _attention_mask(config: Any, segments: torch.Tensor) -> Any:
    """Return which token sees which; ModernBERT has two kinds of layers."""
    make = _blocks if config._attn_implementation == FLEX else _dense
    same = make(segments)
    if config.model_type != "modernbert":
        return same
    return {"full_attention": same, "sliding_attention": make(segments, config.sliding_window)}


def _dense(segments: torch.Tensor, window: int | None = None) -> torch.Tensor:
    """Return which token sees which, (B, 1, T, T)."""
    same = segments[:, None, :, None] == segments[:, None, None, :]
    if window is None:
        return same
    place = torch.arange(segments.shape[1], device=segments.device)
    return same & ((place[:, None] - place).abs() <= window)


def _blocks(segments: torch.Tensor, window: int | None = None) -> BlockMask:
    """Return the same for FlexAttention, which skips blocks of which nothing is seen."""

    def seen(
        row: torch.Tensor, _: torch.Tensor, asking: torch.Tensor, asked: torch.Tensor
    ) -> torch.Tensor:
        same = segments[row, asking] == segments[row, asked]
        return same if window is None else same & ((asking - asked).abs() <= window)

    B, T = segments.shape
    return create_block_mask(seen, B, None, T, T, device=segments.device)


def count_positions(segments: torch.Tensor) -> torch.Tensor:
    """Return each token's position in its segment, (B, T), from 0."""
    place = torch.arange(segments.shape[1], device=segments.device).expand_as(segments)
    begins = torch.ones_like(segments, dtype=torch.bool)
    begins[:, 1:] = segments[:, 1:] != segments[:, :-1]
    return place - torch.where(begins, place, 0).cummax(dim=1).values


def set_output_bias(start: Start, shares: npt.NDArray[np.float64]) -> None:
    """Initialise a new output bias to the log of the tokens' shares (V,).

    The model then starts as a unigram model, and spends no steps on learning to be one.
    """
    bias = start.model.get_output_embeddings().bias
    if any(
        weights is bias and name in start.new for name, weights in start.model.named_parameters()
    ):
        with torch.no_grad():
            bias.copy_(torch.from_numpy(np.log(shares)))


def save_model(start: Start, tokenizer: Any, folder: Path) -> None:
    """Save the model with its config as it was before dropout was set, and the tokenizer."""
    from pipeline.encoder.tokenizer import save_tokenizer

    for name, value in start.dropouts.items():
        setattr(start.model.config, name, value)
    start.model.save_pretrained(folder)
    positions = start.model.config.max_position_embeddings
    tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
    save_tokenizer(tokenizer, folder)
