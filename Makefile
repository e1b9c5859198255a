# Every command there is: make setup · demo · check · test · test-all · bench · docs · lock
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export MLFLOW_DISABLE_TELEMETRY := true
export ORT_DISABLE_TELEMETRY := 1
# Tests run on every processor already: threads of linear algebra would wait for each other. There are three processes of
# them for two processors, since many wait for a server of their own. Bytecode is kept, so that the many processes that
# they start do not compile what was compiled.
test test-all: export OMP_NUM_THREADS := 1
test test-all: export OPENBLAS_NUM_THREADS := 1
test test-all: export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo check test test-all bench docs lock clean

setup: $(STAMP)

$(STAMP): lock.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r lock.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q tenure
	touch $@

demo: setup
	$(BIN)/tenure demo

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup
	$(BIN)/python -m compileall -q tenure tests examples
	$(BIN)/pytest -m "not slow" -n 3 --dist loadfile --no-loadscope-reorder

test-all: setup
	$(BIN)/python -m compileall -q tenure tests examples
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

bench: setup
	$(BIN)/python -m benchmarks

docs: setup
	$(BIN)/python -m tests.promises.write_docs

lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --all-extras --output-file lock.txt pyproject.toml

clean:
	rm -rf $(VENV)
