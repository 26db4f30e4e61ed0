# Everything a contributor runs. Each target sets up what it needs: only Python 3.11 and make are assumed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo serve test faults check bench constraints clean

demo: $(READY)  ## see it all work on this machine; options by ARGS="--devices 20000"
	$(BIN)/booper demo $(ARGS)

serve: $(READY)  ## run the service; options by ARGS="--config config/dev.toml"
	$(BIN)/booper serve $(ARGS)

test: $(READY)  ## every test, and the kernels' branch coverage
	$(BIN)/pytest -n auto --maxprocesses 4 --dist worksteal --cov=actors --cov=supervisors --cov-branch --cov-report=term:skip-covered --cov-fail-under=100 $(ARGS)

faults: $(READY)  ## the long form of the fault plan: kills, outages, clocks; the figures of each
	BOOPER_FAULTS=long $(BIN)/pytest -s -p no:cacheprovider tests/booper/faults $(ARGS)

check: $(READY)  ## style, types, the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## the figures this project promises, as tables
	$(BIN)/booper bench kernel $(ARGS)
	$(BIN)/booper bench engine $(ARGS)
	$(BIN)/booper bench neighbours $(ARGS)
	$(BIN)/booper bench instances $(ARGS)
	$(BIN)/booper bench rotation $(ARGS)
	$(BIN)/booper bench pipeline $(ARGS)
	$(BIN)/booper bench queue $(ARGS)
	$(BIN)/booper bench ingest $(ARGS)

$(READY): config/constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r config/constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)

constraints: $(READY)  ## pin the newest allowed versions, by hash
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-annotate --extra dev --upgrade pyproject.toml -o config/constraints.txt

clean:
	rm -rf $(VENV) .node build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
