"""The smaller encoder that the stage compress makes."""

from pathlib import Path
from typing import Any

from transformers import AutoModelForMaskedLM

from pipeline import layout
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
from pipeline.reports import CompressReport
from pipeline.stages.pretrain import make_plan
from pipeline.track import Track


def make(params: CompressParams, out: Path, track: Track) -> CompressReport:
    """Write the smaller encoder to ``out``; report its held-out loss beside its teacher's.

    Raises:
        InputError: where the encoder cannot be made smaller.
    """
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
    save_model(Start(student, frozenset(), {}), tokenizer, out)
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
