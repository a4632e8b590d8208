"""Compress: a smaller encoder in the place of the pretrained one, where params.yaml asks for it.

With method none nothing is written but the report, and the later stages use build/pretrain. Else
they use this stage's model, so that what is evaluated, audited and published is the smaller one.
"""

import shutil
from typing import Any

from transformers import AutoModelForMaskedLM

from pipeline import layout, reports
from pipeline import params as settings
from pipeline.encoder import smaller
from pipeline.encoder.digest import encoder_digest
from pipeline.encoder.distil import distil
from pipeline.encoder.loading import load_config, load_model
from pipeline.encoder.loss import heldout_loss
from pipeline.encoder.model import Start, save_model
from pipeline.encoder.pretraining import Plan
from pipeline.encoder.tokenizer import load_tokenizer
from pipeline.params import CompressParams
from pipeline.reports import CompressReport, PretrainReport
from pipeline.stages.pretrain import make_plan
from pipeline.track import Track

OUT = layout.stage_dir("compress")


def run(params: CompressParams, track: Track) -> CompressReport:
    """Write build/compress/model, or nothing where the method is none.

    Raises:
        InputError: where an earlier stage has not run, or the encoder cannot be made smaller.
    """
    shutil.rmtree(OUT, ignore_errors=True)
    pretrained = reports.read(PretrainReport)
    if params.method == "none":
        return CompressReport(
            method="none",
            teacher_digest=pretrained.encoder_digest,
            encoder_digest=pretrained.encoder_digest,
            teacher_parameters=pretrained.parameters,
            parameters=pretrained.parameters,
        )
    folder = layout.stage_dir("pretrain") / "model"
    smaller.check_architecture(load_config(folder))
    tokenizer = load_tokenizer(str(folder), "build/pretrain")
    teacher = load_model(AutoModelForMaskedLM, folder).eval()
    plan = _plan(params, tokenizer)
    student = _cut(params, teacher, plan)
    initial = heldout_loss(student, plan.heldout, plan.precision)
    tokens = distil(
        student,
        teacher,
        plan,
        params.temperature,
        lambda done, total, loss: track.progress(done, total, "steps", loss=loss),
    )
    save_model(Start(student, frozenset(), {}), tokenizer, OUT / "model")
    return CompressReport(
        method=params.method,
        teacher_digest=encoder_digest(teacher),
        encoder_digest=encoder_digest(student),
        teacher_parameters=smaller.parameters(teacher),
        parameters=smaller.parameters(student),
        layers=student.config.num_hidden_layers,
        intermediate=student.config.intermediate_size,
        steps=plan.steps,
        tokens=tokens,
        teacher_loss=heldout_loss(teacher, plan.heldout, plan.precision),
        initial_loss=initial,
        final_loss=heldout_loss(student, plan.heldout, plan.precision),
    )


def _plan(params: CompressParams, tokenizer: Any) -> Plan:
    """Return pretrain's plan with this stage's tokens and learning rate."""
    changes = {
        "tokens": params.tokens,
        "learning_rate": params.learning_rate,
        "head_learning_rate": params.learning_rate,
        "optimiser": "adamw",
    }
    pretrain = settings.load().pretrain.model_copy(update=changes)
    return make_plan(pretrain, tokenizer, layout.stage_dir("tokenise"))


def _cut(params: CompressParams, teacher: Any, plan: Plan) -> Any:
    if params.method == "distil":
        return smaller.keep_layers(teacher, params.layers)
    batches = (plan.batch(step) for step in range(params.importance_batches))
    importance = smaller.unit_importance(teacher, batches, plan.precision)
    return smaller.keep_units(teacher, importance, params.ffn_share)
