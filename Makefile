# The whole interface for a person with a fresh clone: demo, test, lint, bench.
# Needs Python 3.11 or newer and make; everything else goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNNABLE := $(VENV)/.runnable
INSTALLED := $(VENV)/.installed
LOADER := $(BIN)/evalmart
# dbt is some 1,400 modules: a machine that keeps no bytecode compiles them for every command,
# four seconds of processor each time
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-fast test-oldest-sdk lint audit format pictures bench bench-quick fuzz endurance lock clean

demo: $(RUNNABLE)  ## load the sample, build every mart, show the answers
	$(LOADER) init
	$(LOADER) sample
	$(LOADER) ingest --file '.evalmart/sample/*.jsonl'
	$(LOADER) build --quiet
	$(LOADER) summary --experiment exp-2025-01-001
	$(LOADER) compare --experiment exp-2025-01-001 --limit 8
	$(LOADER) trend --agent feature_dev --metric accuracy
	$(LOADER) report --experiment exp-2025-01-001 -o report.html

test: $(INSTALLED)  ## every test; what a server itself decides also on PostgreSQL 15, where it is installed
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-fast: $(INSTALLED)  ## for the working day: the newest server alone, without what is marked slow
	EVALMART_TEST_SERVERS=newest $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile -m 'not slow'

test-oldest-sdk: $(INSTALLED)  ## what reads LangSmith, with the oldest SDK that it may be installed with
	@sdk=$$(mktemp -d) && trap 'rm -rf "$$sdk"' EXIT; \
	if $(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps \
		--require-hashes --target "$$sdk" -r requirements-oldest-sdk.lock; then \
		PYTHONPATH="$$sdk" $(BIN)/python -m pytest -q -n auto --maxprocesses 4 -m 'not slow' \
			tests/loader/sources/test_langsmith_*.py; \
	else \
		echo "skipped: the oldest LangSmith SDK could not be fetched"; \
	fi

lint: $(INSTALLED)  ## everything that can be said without running the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/yamllint --strict .
	$(BIN)/sqlfluff lint --processes 2 models functions macros tests
	$(BIN)/sqlfluff lint --processes 2 --config .sqlfluff_steps \
		models/intermediate/comparisons \
		models/intermediate/versions/int_version_moments.sql \
		models/intermediate/versions/int_regression_tasks.sql
	$(BIN)/sqlfluff lint --processes 2 --templater placeholder \
		--exclude-rules RF02,RF04,LT05,ST06,AM04 loader/*/sql
	$(BIN)/python tests/check_descriptions.py
	$(BIN)/python tests/check_rooms.py
	$(BIN)/python tests/check_settings.py

audit: $(INSTALLED)  ## whether a dependency is known to be vulnerable, where a network lets one ask
	$(BIN)/python tests/check_audit.py

format: $(INSTALLED)  ## let the formatters do what they can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix models functions tests

pictures: $(INSTALLED)  ## the pictures of the documentation, anew from the sample (needs Chromium)
	$(BIN)/python tests/support/pictures.py

bench: $(INSTALLED)  ## speed as ratios measured in one run, against stated floors: one table
	$(BIN)/python benchmarks/table.py

bench-quick: $(INSTALLED)  ## the same on small inputs, in three minutes
	$(BIN)/python benchmarks/table.py --quick

fuzz: $(INSTALLED)  ## ten thousand odd requests to the pages: every one answered, none told too much
	EVALMART_TEST_SERVERS=newest EVALMART_FUZZ_REQUESTS=10000 $(BIN)/python -m pytest -q -s tests/loader/serve/test_fuzz.py

endurance: $(INSTALLED)  ## for a night: what is killed, crowded and filled, on every server, direct and pooled
	@status=0; for server in 18 15; do for way in "" --pooler; do \
		for subject in kills writers states; do \
			$(BIN)/python benchmarks/endurance.py $$subject --server $$server $$way || status=1; \
		done; \
	done; \
	for subject in cycles full-disk; do \
		$(BIN)/python benchmarks/endurance.py $$subject --server $$server || status=1; \
	done; done; exit $$status

# What a user needs, and over it what a developer adds. Bytecode comes with the first import of a
# module: half of what is installed is never imported.
$(INSTALLED): $(RUNNABLE) requirements-dev.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	touch $@

$(RUNNABLE): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "evalmart needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

COMPILE := $(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --custom-compile-command 'make lock'
# every extra but Parquet's, which is a third of all and for .parquet files alone
USED := $(foreach extra,build embedded langsmith inspect metrics report run serve,--extra $(extra))

lock:  ## resolve the dependencies anew: a user's, a developer's, the audit's, a release's (needs uv)
	$(COMPILE) --upgrade $(USED) --group build --output-file requirements.lock pyproject.toml
	$(COMPILE) --upgrade --extra all --group build --group test --group lint \
		--constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	echo pip-audit | $(COMPILE) --upgrade --output-file requirements-audit.lock -
	printf 'cyclonedx-bom\nhatchling\n' | $(COMPILE) --upgrade --output-file requirements-release.lock -

clean: ## stop the embedded server; remove the environment and everything built
	-test -x $(BIN)/python && $(LOADER) stop
	rm -rf $(VENV) .evalmart target logs *.egg-info .pytest_cache .mypy_cache .ruff_cache
