"""Pretrain: a masked language model, from scratch or continued, with its held-out losses."""

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from pipeline import encoder, files, layout, reports
from pipeline.encoder import loss as losses
from pipeline.encoder import model as models
from pipeline.encoder import ranks as groups
from pipeline.encoder import tokens as token_files
from pipeline.encoder.batches import Packing
from pipeline.encoder.checkpoint import remove_checkpoints
from pipeline.encoder.digest import digest_weights, encoder_digest
from pipeline.encoder.loading import device
from pipeline.encoder.precision import check_attention, choose_precision
from pipeline.encoder.pretraining import Plan, pretrain
from pipeline.encoder.probe import Probe, pays_from_tokens, probe
from pipeline.encoder.tokenizer import load_tokenizer, vocabulary_of
from pipeline.encoder.watch import Position
from pipeline.errors import InputError
from pipeline.params import PretrainParams
from pipeline.reports import CurvePoint, PretrainReport, TokeniseReport
from pipeline.track import Track

_PROBE_S = 20.0
_MAY_CHANGE = {  # between a kill and a resumption: memory or disk was short, or machines differ
    "processes",
    "sharding",
    "accumulate",
    "gradient_checkpointing",
    "checkpoint_every_steps",
}


def run(params: PretrainParams, track: Track) -> PretrainReport:
    """Write build/pretrain/model: config, weights and tokenizer, as transformers loads them."""
    ranks = groups.join()
    tokenised, tokenizer, plan, start = _prepare(params)
    inputs = _digest_inputs(tokenised)
    train_ids, documents = token_files.ids_path(tokenised, "train"), plan.train.tokens.documents
    track.dataset("train_ids", train_ids, documents, inputs[train_ids.name])
    shares = losses.token_shares(plan.train.tokens, start.model.config.vocab_size)
    models.set_output_bias(start, shares)
    start.model.to(device())
    key = _key(plan, inputs, start.model)
    groups.check_agreement(key)
    checkpoints = layout.CHECKPOINTS / key
    initial = losses.heldout_loss(start.model, plan.heldout, plan.precision)
    track.metrics({"heldout_loss": initial}, step=0)
    end = _train(start, plan, checkpoints, track)
    ranks.end_training()
    unigram = losses.unigram_loss(shares, plan.heldout)
    report = _report(start.model, plan, end, initial_loss=initial, unigram_loss=unigram)
    if ranks.is_main_process:
        models.save_model(start, tokenizer, layout.stage_dir("pretrain") / "model")
        remove_checkpoints(checkpoints)  # last: what is killed before goes on from them
    return report


def _train(start: models.Start, plan: Plan, checkpoints: Path, track: Track) -> Position:
    try:
        return pretrain(start, plan, checkpoints, Progress(plan, track))
    except torch.OutOfMemoryError as error:
        parts = plan.params.accumulate * groups.join().num_processes
        raise InputError(
            f"pretrain: the GPU's memory does not hold {plan.params.batch_sequences // parts} "
            "sequences at a time; raise pretrain.accumulate, or set "
            "pretrain.gradient_checkpointing: true, and run again"
        ) from error


def estimate(params: PretrainParams) -> str:
    """Return in words what the run will take, estimated from `_PROBE_S` seconds of it."""
    _, _, plan, start = _prepare(params)
    if plan.steps < 2:
        raise InputError(f"pretrain.tokens: {params.tokens} make too few steps to time; raise it")
    start.model.to(device())
    found = probe(start, plan, _PROBE_S)
    return (
        f"{found.parameters:,} parameters; {params.tokens:,} tokens in {plan.steps:,} steps, "
        f"{plan.precision} on {device().type}\n"
        f"{found.tokens_per_s:,.0f} tokens/s over {found.steps} steps: "
        f"{found.seconds / 60:,.1f} minutes in all\n"
        f"{found.peak_mib:,.0f} MiB of memory at most, in each process"
        f"{_estimate_compiled(start, plan, found)}"
    )


def _estimate_compiled(start: models.Start, plan: Plan, plain: Probe) -> str:
    """Return in words whether compiling would make this run faster; none if it does already."""
    if plan.params.compile:
        return ""
    changed = plan.params.model_dump() | {"compile": True}
    try:
        compiled = probe(start, replace(plan, params=PretrainParams(**changed)), _PROBE_S)
    except ValueError:  # other parameters rule it out
        return ""
    except InputError as error:
        return f"\n{error}"
    extra_s, tokens = compiled.first_step_s - plain.first_step_s, pays_from_tokens(plain, compiled)
    pays = f"pays from {tokens:,.0f} tokens on" if math.isfinite(tokens) else "does not pay"
    return (
        f"\npretrain.compile: {compiled.tokens_per_s:,.0f} tokens/s after {extra_s:,.0f} s of "
        f"compiling; it {pays}"
    )


def _prepare(params: PretrainParams) -> tuple[Path, Any, Plan, models.Start]:
    """Return the tokens' folder, their tokenizer, the run's plan, and the model to start from."""
    _check_batch(params)
    check_attention(params.attention, device())
    tokenised = layout.stage_dir("tokenise")
    if not tokenised.is_dir():
        reports.read(TokeniseReport)  # says which stage to run
    tokenizer = load_tokenizer(str(tokenised / "tokenizer"))
    plan = make_plan(params, tokenizer, tokenised)
    return tokenised, tokenizer, plan, models.start_model(params, tokenizer, plan.train.vocabulary)


def _check_batch(params: PretrainParams) -> None:
    processes = groups.join().num_processes
    if params.batch_sequences % (params.accumulate * processes):
        shared = f" times {processes} processes" if processes > 1 else ""
        raise InputError(
            f"pretrain.accumulate: {params.accumulate}{shared} does not divide "
            f"pretrain.batch_sequences, {params.batch_sequences}"
        )


def make_plan(params: PretrainParams, tokenizer: Any, tokenised: Path) -> Plan:
    """Return the plan of a run on the tokens that the stage tokenise has written."""
    vocabulary = vocabulary_of(tokenizer)
    train, heldout = (
        Packing(token_files.open_tokens(tokenised, part), vocabulary, params.seq_len_tokens)
        for part in ("train", "heldout")
    )
    batches = losses.heldout_batches(heldout, params.heldout_sequences)
    precision = choose_precision(params.precision, device())
    return Plan(params, train, batches, precision)


def _digest_inputs(tokenised: Path) -> dict[str, str]:
    parts = ("train", "heldout")
    paths = [token_files.ids_path(tokenised, part) for part in parts]
    paths += [token_files.offsets_path(tokenised, part) for part in parts]
    return {path.name: files.sha256_file(path) for path in paths}


def _key(plan: Plan, inputs: Mapping[str, str], model: Any) -> str:
    """Digest everything that the weights at a step depend on; checkpoints are kept by this key."""
    digests = dict(inputs)
    for path in Path(encoder.__file__).parent.glob("*.py"):
        digests[path.name] = files.sha256_file(path)
    digests["weights"] = digest_weights(dict(model.named_parameters()))
    digests["params"] = plan.params.model_dump_json(exclude=_MAY_CHANGE)
    digests["precision"] = plan.precision
    digests["libraries"] = f"{torch.__version__} {transformers.__version__} {np.__version__}"
    digests["device"] = model.device.type
    return files.sha256_digests(digests)[:16]


class Progress:
    """Reports a run's steps to the track, with the rate and the remaining time."""

    def __init__(self, plan: Plan, track: Track) -> None:
        self._plan, self._track = plan, track
        self._started: tuple[float, int] | None = None  # time and tokens at the first step seen
        self._fields: dict[str, float] = {}

    def step(self, position: Position, loss: float, learning_rate: float) -> None:
        """Report tokens done, and the rate since this process took its first step."""
        now, total = time.perf_counter(), self._plan.params.tokens
        since, tokens = self._started = self._started or (now, position.tokens)
        self._fields = {"loss": loss, "lr": learning_rate}
        if now > since:
            rate = (position.tokens - tokens) / (now - since)
            self._fields |= {"tokens_per_s": rate, "eta_s": max(0, total - position.tokens) / rate}
        self._track.progress(min(position.tokens, total), total, "tokens", **self._fields)

    def point(self, point: CurvePoint) -> None:
        """Record a point of the curve."""
        values = {"loss": point.loss, "lr": point.learning_rate}
        if point.heldout_loss is not None:
            values["heldout_loss"] = point.heldout_loss
        if "tokens_per_s" in self._fields:
            values["tokens_per_s"] = self._fields["tokens_per_s"]
        self._track.metrics(values, point.step)

    def say(self, message: str) -> None:
        """Log a message for a person."""
        logging.getLogger("charter.pretrain").warning(message)


def _report(
    model: Any, plan: Plan, end: Position, *, initial_loss: float, unigram_loss: float
) -> PretrainReport:
    params = plan.params
    untrained = models.untrained_model(model.config, params.seed).to(model.device)
    return PretrainReport(
        origin=params.init,
        architecture=model.config.model_type,
        parameters=sum(weights.numel() for weights in model.parameters()),
        steps=end.step,
        tokens=end.tokens,
        uniform_loss=math.log(model.config.vocab_size),
        unigram_loss=unigram_loss,
        untrained_loss=losses.heldout_loss(untrained, plan.heldout, plan.precision),
        initial_loss=initial_loss,
        final_loss=losses.heldout_loss(model, plan.heldout, plan.precision),
        heldout_masked_tokens=sum(batch.guesses for batch in plan.heldout),
        curve=end.curve,
        precision=plan.precision,
        device=model.device.type,
        processes=groups.join().num_processes,
        encoder_digest=encoder_digest(model),
    )
