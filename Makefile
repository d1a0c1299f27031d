# The two commands of the README are `make demo` and `make test`; both create the environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPEC ?= spec/openapi.yaml
OUT ?= generated_client/pusher_channels_rest
TESTS ?=

.PHONY: help demo test test-newest soak faults mutants bench instructions test-peers lint format generate check-generated build \
  test-wheel check lock clean

help:  ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

$(VENV)/installed: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/tools: $(VENV)/installed requirements/tools.txt
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/tools.txt
	touch $@

node_modules/installed: package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund
	touch $@

demo: $(VENV)/installed  ## Publish through a local server and watch the events arrive
	$(BIN)/python -m examples.demo

test: $(VENV)/installed  ## Unit, vector, property, fault, lifecycle, generator, contract and end-to-end tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/peers --ignore=tests/browser $(TESTS)

test-newest:  ## The same, on the newest Python that this machine has
	$(MAKE) test VENV=.venv-newest PYTHON=$$(tests/newest_python.sh)

soak: $(VENV)/installed  ## Ten times as many examples and calls, and 200,000 events to a server that fails in every way
	SOAK=1 $(BIN)/python -m pytest -n 2 --dist loadfile tests/emulator/test_fuzz.py tests/properties tests/lifecycle $(TESTS)
	$(BIN)/python -m tests.publisher.soak

faults: $(VENV)/installed  ## Write docs/faults.md anew, from what the faults really come to
	$(BIN)/python -m tests.faults.table

mutants: $(VENV)/tools  ## Make small mistakes in what must not be wrong, and write docs/mutants.md: which ones the tests notice
	$(BIN)/python -m tests.mutants

bench: $(VENV)/tools  ## Measure the SDK beside its peers, and write docs/benchmarks.md anew; QUICK=1 only prints
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

instructions: $(VENV)/installed  ## Fail if a local operation takes more instructions than before; UPDATE=1 records them
	$(BIN)/python -m benchmarks.instructions $(if $(UPDATE),--update)

test-peers: $(VENV)/installed node_modules/installed  ## The official libraries, soketi, and a real browser
	$(BIN)/python -m pytest tests/peers tests/browser $(TESTS)

lint: $(VENV)/installed node_modules/installed  ## ruff, mypy --strict, pyright strict, and a linter for the spec
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	node_modules/.bin/pyright
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true node_modules/.bin/redocly lint $(SPEC) --config spec/redocly.yaml

format: $(VENV)/installed  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: $(VENV)/installed  ## Regenerate the client: SPEC=path, OUT=path
	$(BIN)/python -m generator --spec $(SPEC) --out $(OUT)

check-generated: $(VENV)/installed  ## Fail if the committed client is not what the spec generates
	$(BIN)/python -m generator --spec $(SPEC) --out $(OUT) --check

build: $(VENV)/installed  ## Build wheel and sdist into dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

test-wheel: build  ## Unit and vector tests against the installed wheel, on the oldest Python and requirements and on the newest
	tests/wheel/run.sh

check: lint test test-newest check-generated mutants test-peers test-wheel  ## All that CI runs

lock:  ## Pin the requirements again (needs uv)
	for name in dev wheel tools; do uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --quiet --upgrade requirements/$$name.in --output-file requirements/$$name.txt; done
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --upgrade \
	  --resolution lowest-direct pyproject.toml --extra emulator requirements/oldest.in --output-file requirements/oldest.txt

clean:  ## Remove what the other targets made
	rm -rf $(VENV) .venv-newest node_modules dist .mypy_cache .ruff_cache .pytest_cache .hypothesis mutants
