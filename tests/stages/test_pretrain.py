"""The stage pretrain: what it leaves, killed and resumed, and what it refuses."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_model import pretrain_params, toy_plan, write_tokenised
from transformers import AutoModelForMaskedLM, AutoTokenizer

from pipeline import encoder, files, layout, reports
from pipeline.encoder.digest import encoder_digest
from pipeline.encoder.pretraining import Plan
from pipeline.encoder.probe import Probe
from pipeline.encoder.watch import Position
from pipeline.errors import InputError
from pipeline.reports import PretrainReport
from pipeline.stages import pretrain
from pipeline.track import Silent

ROOT = Path(__file__).parents[2]
OUT = Path("build/pretrain")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tokenised(Path("build/tokenise"))


def _run(**changes: Any) -> PretrainReport:
    return pretrain.run(pretrain_params(**changes), Silent())


def test_the_output_loads_in_transformers_and_is_what_the_report_says() -> None:
    report = _run(dropout=0.0)
    model, loading = AutoModelForMaskedLM.from_pretrained(OUT / "model", output_loading_info=True)
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    assert AutoTokenizer.from_pretrained(OUT / "model")("w9").input_ids == [2, 9, 3]
    assert report.encoder_digest == encoder_digest(OUT / "model") == encoder_digest(model)
    assert report.parameters == sum(weights.numel() for weights in model.parameters())
    assert (report.steps, report.curve[-1].step) == (12, 12)
    assert report.curve[-1].heldout_loss == report.final_loss


def test_training_helps_and_the_reference_losses_are_in_their_order() -> None:
    report = _run(tokens=80 * 16 * 16, batch_sequences=16, layers=2, hidden=64, learning_rate=5e-3)
    assert report.final_loss < report.unigram_loss < report.untrained_loss + 0.05
    assert report.untrained_loss == pytest.approx(report.uniform_loss, abs=0.2)
    assert report.initial_loss == pytest.approx(report.unigram_loss, abs=0.2)


def test_two_runs_write_equal_bytes_and_leave_no_checkpoint() -> None:
    written = []
    for _ in range(2):
        report = _run()
        written.append((report, files.sha256_tree(OUT)))
    assert written[0] == written[1]
    assert not list(layout.CHECKPOINTS.iterdir())


def test_continuing_with_no_tokens_returns_the_weights_that_came_in() -> None:
    first = _run()
    (OUT / "model").rename("given")
    again = _run(init="./given", tokens=0)
    assert again.encoder_digest == first.encoder_digest
    assert again.initial_loss == again.final_loss == first.final_loss
    assert again.untrained_loss == first.untrained_loss  # of weights of the seed, whatever came in
    assert (again.origin, again.steps, again.curve) == ("./given", 0, ())


def _start_stage(folder: Path) -> subprocess.Popen[bytes]:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from toy_model import pretrain_params\n"
        "from pipeline.stages import pretrain\n"
        "from pipeline.track import Silent\n"
        "pretrain.run(pretrain_params(tokens=60 * 64), Silent())\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(ROOT), str(ROOT / "tests")], cwd=folder
    )


def _wait_for_checkpoint(process: subprocess.Popen[bytes], step: int) -> None:
    deadline = time.monotonic() + 120
    while not any(int(p.name[5:]) >= step for p in layout.CHECKPOINTS.glob("*/step-*")):
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_and_resumed_is_uninterrupted_bit_by_bit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SIGKILL wherever the process is after its sixth step; then the same call, to the end."""
    process = _start_stage(tmp_path)
    try:
        _wait_for_checkpoint(process, 6)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (OUT / "model").exists()
    params = pretrain_params(tokens=60 * 64)
    resumed = pretrain.run(params, Silent()), files.sha256_tree(OUT)
    assert "resuming after step" in caplog.text
    whole = pretrain.run(params, Silent()), files.sha256_tree(OUT)
    assert resumed == whole


def test_a_kill_after_the_last_step_goes_on_from_the_last_checkpoint(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The losses of the report take their time, and would be the end of all steps."""
    with monkeypatch.context() as patch:
        patch.setattr(pretrain, "_report", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            _run()
    assert "resuming" not in caplog.text
    _run()
    assert "resuming after step 10" in caplog.text


def _leave_a_checkpoint(**changes: Any) -> None:
    """Run to the end but for the last act, so that a checkpoint of the run stays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrain, "remove_checkpoints", lambda _: None)
        _run(**changes)
    assert list(layout.CHECKPOINTS.glob("*/step-*"))


@pytest.mark.parametrize("changes", [{"seed": 2}, {"learning_rate": 2e-3}, {"dropout": 0.3}])
def test_a_checkpoint_of_other_parameters_is_not_resumed(
    changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    _leave_a_checkpoint()
    _run(**changes)
    assert "resuming" not in caplog.text
    _run()
    assert "resuming" in caplog.text


def test_what_leaves_the_weights_as_they_are_may_change_before_a_resumption(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A run that lacked memory goes on with less of it, or on other machines."""
    _leave_a_checkpoint()
    _run(gradient_checkpointing=True, sharding="full", accumulate=2, checkpoint_every_steps=3)
    assert "resuming" in caplog.text


def test_a_checkpoint_of_other_initial_weights_is_not_resumed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The same params.yaml, but the directory that it names has changed."""
    for seed in (1, 2):
        _run(seed=seed)
        (OUT / "model").rename(f"given-{seed}")
    Path("given").symlink_to("given-1")
    _leave_a_checkpoint(init="./given")
    Path("given").unlink()
    Path("given").symlink_to("given-2")
    _run(init="./given")
    assert "resuming" not in caplog.text


@pytest.mark.parametrize("library", ["torch", "transformers", "np"])
def test_a_checkpoint_of_other_libraries_is_not_resumed(
    library: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave_a_checkpoint()
    monkeypatch.setattr(getattr(pretrain, library), "__version__", "0.0.1")
    _run()
    assert "resuming" not in caplog.text


def test_a_checkpoint_of_other_code_is_not_resumed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave_a_checkpoint()
    folder = shutil.copytree(Path(encoder.__file__).parent, Path("other"))
    (folder / "batches.py").write_text("# other code\n")
    monkeypatch.setattr(encoder, "__file__", str(folder / "__init__.py"))
    _run()
    assert "resuming" not in caplog.text


def test_a_checkpoint_of_another_device_s_best_precision_is_not_resumed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = "pipeline.encoder.precision.best_precision"
    monkeypatch.setattr(best, lambda _: "float32")
    _leave_a_checkpoint(precision="auto")
    monkeypatch.setattr(best, lambda _: "bfloat16")
    _run(precision="auto")
    assert "resuming" not in caplog.text


@pytest.mark.parametrize("part", ["train", "heldout"])
def test_a_checkpoint_of_other_token_ids_is_not_resumed(
    part: str, caplog: pytest.LogCaptureFixture
) -> None:
    _leave_a_checkpoint()
    path = Path(f"build/tokenise/{part}_ids.npy")
    data = bytearray(path.read_bytes())
    data[-2] = 7 if data[-2] != 7 else 8
    path.write_bytes(data)
    _run()
    assert "resuming" not in caplog.text


def test_the_track_hears_of_every_step_the_curve_and_the_input() -> None:
    heard: dict[str, list[Any]] = {"progress": [], "metrics": [], "dataset": []}

    class Watched(Silent):
        def progress(self, done: int, total: int, unit: str, **fields: float) -> None:
            heard["progress"].append((done, total, unit, fields))

        def metrics(self, values: Any, step: int) -> None:
            heard["metrics"].append((step, dict(values)))

        def dataset(self, name: str, path: Path, rows: int, digest: str) -> None:
            heard["dataset"].append((name, path, rows, digest))

    report = pretrain.run(pretrain_params(), Watched())
    assert len(heard["progress"]) == 12
    done, total, unit, fields = heard["progress"][-1]
    assert (total, unit) == (12 * 64, "tokens")
    assert done == report.tokens
    assert {"loss", "lr", "tokens_per_s", "eta_s"} == fields.keys()
    assert fields["tokens_per_s"] > 0 <= fields["eta_s"]
    assert heard["metrics"][0] == (0, {"heldout_loss": report.initial_loss})
    by_step = dict(heard["metrics"])
    for point in report.curve:
        assert by_step[point.step]["loss"] == point.loss
        assert by_step[point.step].get("heldout_loss") == point.heldout_loss
    path = Path("build/tokenise/train_ids.npy")
    assert heard["dataset"] == [("train_ids", path, 40, files.sha256_file(path))]


def test_the_rate_is_of_this_process_and_what_is_left_takes_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It resumes at 100 of 768 tokens; 200 more in 2 s: the other 468 take 4.68 s."""
    heard: list[dict[str, float]] = []

    class Watched(Silent):
        def progress(self, done: int, total: int, unit: str, **fields: float) -> None:
            heard.append({"of": total, unit: done} | fields)

    progress = pretrain.Progress(toy_plan(pretrain_params()), Watched())
    for now, tokens in ((10.0, 100), (12.0, 300)):
        monkeypatch.setattr(pretrain.time, "perf_counter", lambda now=now: now)
        progress.step(Position(step=1, tokens=tokens), 3.0, 0.1)
    assert heard == [
        {"of": 768, "tokens": 100, "loss": 3.0, "lr": 0.1},
        {"of": 768, "tokens": 300, "loss": 3.0, "lr": 0.1, "tokens_per_s": 100.0, "eta_s": 4.68},
    ]


def test_processes_are_compared_by_the_key_of_their_checkpoints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys: list[str] = []
    monkeypatch.setattr(pretrain.groups, "check_agreement", keys.append)
    _leave_a_checkpoint()
    assert [path.name for path in layout.CHECKPOINTS.iterdir()] == keys


def test_an_estimate_compares_with_compiling_where_the_run_does_not_do_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def probed(_: Any, plan: Plan, seconds: float) -> Probe:
        fast = plan.params.compile
        return Probe(1000, 9, 31.0 if fast else 1.0, 64.0 if fast else 32.0, seconds, 7.0)

    monkeypatch.setattr(pretrain, "probe", probed)
    said = pretrain.estimate(pretrain_params(dropout=0.0))
    assert "768 tokens in 12 steps, float32 on" in said
    assert "32 tokens/s over 9 steps" in said
    assert "64 tokens/s after 30 s of compiling; it pays from 1,920 tokens on" in said
    said = pretrain.estimate(pretrain_params(dropout=0.0, compile=True))
    assert "64 tokens/s over 9 steps" in said
    assert "of compiling" not in said


def test_the_report_survives_json_and_holds_no_time() -> None:
    report = _run(tokens=0)
    reports.write("pretrain", report)
    assert reports.read(PretrainReport) == report
    assert not [
        name for name in PretrainReport.model_fields if "second" in name or "_s" in name[-2:]
    ]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"accumulate": 3}, "pretrain.accumulate: 3 does not divide pretrain.batch_sequences, 4"),
        ({"init": "data/models/none"}, "pretrain.init: no directory data/models/none"),
        ({"learning_rate": 1e38, "warmup_share": 0.0}, "lower pretrain.learning_rate"),
    ],
)
def test_what_a_person_gets_wrong_is_named(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        _run(**changes)


def test_too_little_memory_on_a_gpu_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fill(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(pretrain, "pretrain", fill)
    with pytest.raises(InputError, match=r"not hold 2 sequences at a time; raise pretrain\.accum"):
        _run(accumulate=2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU can do it")
def test_attention_that_only_a_gpu_can_train_is_refused() -> None:
    with pytest.raises(InputError, match=r"pretrain\.attention: flex has no backward pass on cpu"):
        _run(attention="flex", dropout=0.0)


def test_a_stage_run_out_of_order_says_what_to_run() -> None:
    for path in Path("build/tokenise").glob("*.npy"):
        path.unlink()
    with pytest.raises(InputError, match=r"train_ids\.npy: not found; run `dvc repro tokenise`"):
        _run()
