"""FlexAttention against the attention that the other tests check; its kernels need a GPU."""

from pathlib import Path

import numpy as np
import pydantic
import pytest
import torch
from ranked import Onlooker
from toy_model import pretrain_params, toy_packing, toy_plan, toy_start

from pipeline.encoder.model import FLEX, masked_logits
from pipeline.encoder.precision import check_attention
from pipeline.encoder.pretraining import pretrain
from pipeline.errors import InputError

ARCHITECTURES = ("bert", "modernbert")


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@torch.no_grad()
def test_packed_documents_have_the_same_logits(architecture: str) -> None:
    params = pretrain_params(architecture=architecture, seq_len_tokens=32, layers=2)
    model = toy_start(params).model.eval()
    if architecture == "modernbert":
        model.config.local_attention = 6  # of the second layer; narrower than the documents
    packed = toy_packing(32).rows(np.arange(6))
    ids, segments = map(torch.from_numpy, packed)
    everywhere = torch.arange(32).expand(6, -1)
    expected = masked_logits(model, ids, segments, everywhere)
    model.set_attn_implementation(FLEX)
    with torch.compiler.set_stance("force_eager"):  # which needs no compiler
        found = masked_logits(model, ids, segments, everywhere)
    torch.testing.assert_close(found, expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the backward pass needs a GPU")
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training_has_the_same_losses(architecture: str, compiled: bool, tmp_path: Path) -> None:
    own = {"architecture": architecture, "hidden": 64, "seq_len_tokens": 128, "dropout": 0.0}
    found = {}
    for kind in ("sdpa", "flex"):
        params = pretrain_params(**own, attention=kind, tokens=8 * 4 * 128, compile=compiled)
        start, found[kind] = toy_start(params), Onlooker()
        start.model.to("cuda")
        pretrain(start, toy_plan(params), tmp_path / kind, found[kind])
    assert len(found["flex"].losses) == 8
    assert found["flex"].losses == pytest.approx(found["sdpa"].losses, rel=1e-3)


def test_a_processor_is_refused_before_anything_is_computed() -> None:
    with pytest.raises(InputError, match=r"pretrain\.attention: flex has no backward pass on cpu"):
        check_attention("flex", torch.device("cpu"))
    check_attention("flex", torch.device("cuda"))
    check_attention("sdpa", torch.device("cpu"))


def test_dropout_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="no dropout"):
        pretrain_params(attention="flex", dropout=0.1)
