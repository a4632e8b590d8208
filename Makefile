# make run            the default data, the whole flow, the gate's verdict
# make run SIZE=small the same in a few minutes
# make test           the test suite: 19 minutes on 2 cores
# make test-long      every command of docs/operations.md, shards on Ray, torch.compile: 8 minutes
# make crash          the crash matrix, long form
# make clean          removes build/ and the tools' caches; the log of decisions in .charter/ stays
PYTHON ?= python3
VENV ?= .venv
SIZE ?=

export PATH := $(abspath $(VENV))/bin:$(PATH)
export PREFECT_HOME ?= $(CURDIR)/.prefect
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

.PHONY: run test test-long crash check bench ui clean

run: $(VENV)/installed
	python -m flows.retrain $(if $(SIZE),--size $(SIZE)) || test $$? -eq 3  # 3: the gate refused

test: $(VENV)/installed
	python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test-long: $(VENV)/installed
	python -m pytest -m long

crash: $(VENV)/installed  # kill -9, full disks, lost servers at random moments: 40 minutes
	PYTHONPATH=tests python -m crash

check: $(VENV)/installed
	ruff check . && ruff format --check . && mypy && lint-imports

bench: $(VENV)/installed
	python -m benchmarks

ui: $(VENV)/installed  # MLflow on 5000, Prefect on 4200, both on loopback; ends with ^C
	trap 'kill 0' EXIT; mlflow server --backend-store-uri sqlite:///mlflow.db --port 5000 & prefect server start --port 4200

clean:  # .charter/ stays: decisions.jsonl, which verify reads, checkpoints, records not yet sent
	rm -rf build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/installed: requirements.lock
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --requirement requirements.lock
	touch $@
