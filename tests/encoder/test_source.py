"""A model directory that could run code is refused by the file's name, and nowhere is it asked."""

import json
import pickle
import re
from pathlib import Path

import pytest

from pipeline.encoder.source import check_source
from pipeline.errors import InputError

ROOT = Path(__file__).parents[2]


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('a pickle was read')",)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "1_Pooling").mkdir(parents=True)
    (made / "config.json").write_text('{"model_type": "bert"}')
    (made / "tokenizer.json").write_text('["a list is no config"]')
    (made / "model.safetensors").write_bytes(b"weights")
    check_source(str(made), "pretrain.init")
    return made


@pytest.mark.parametrize(
    "name",
    [
        "pytorch_model.bin",
        "optimizer.pt",
        "a.pkl",
        "A.PICKLE",
        "x.ckpt",
        "m.pth",
        "1_Pooling/c.bin",
    ],
)
def test_a_pickle_is_refused_beside_safetensors_too(folder: Path, name: str) -> None:
    (folder / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match=rf"pretrain\.init: .*{re.escape(name)}: neither pickle"):
        check_source(str(folder), "pretrain.init")


def test_a_model_folder_that_holds_code_is_refused(folder: Path) -> None:
    (folder / "modeling_evil.py").write_text("raise SystemExit('code was run')")
    with pytest.raises(InputError, match=r"modeling_evil\.py"):
        check_source(str(folder), "pretrain.init")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_config_that_names_code_is_refused(folder: Path, name: str) -> None:
    named = {"AutoModel": "modeling_evil.Evil", "AutoTokenizer": ["evil.T", None]}
    (folder / name).write_text(json.dumps({"model_type": "bert", "auto_map": named}))
    with pytest.raises(InputError, match=rf"{name}: auto_map names code"):
        check_source(str(folder), "tokenise.tokenizer")


def test_no_line_trusts_remote_code_or_reads_a_pickle() -> None:
    """By the text of every file: whatever a call is named, its argument is this."""
    for path in [*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("flows/**/*.py")]:
        code = path.read_text()
        assert not re.search(r"trust_remote_code\s*=\s*(?!False)", code), path
        assert not re.search(r"allow_pickle\s*=\s*(?!False)", code), path
        assert not re.search(
            r"^\s*(import|from) (pickle|dill|joblib|cloudpickle|shelve)", code, re.M
        )
        assert not re.search(r"\btorch\.load\(|use_safetensors\s*=\s*(?!True)", code), path


@pytest.mark.parametrize("name", ["data/nothing", ""])
def test_a_directory_that_is_misspelt_is_not_asked_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(InputError, match=rf"pretrain\.init: no directory {name}; run"):
        check_source(name, "pretrain.init")
    check_source("owner/name", "pretrain.init")
