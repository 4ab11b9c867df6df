# Each target does its own set-up: Python 3.11 or newer with venv, make and git are all it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
APPS := statuspage pages components incidents subscribers delivery canary intake public
# One worker per core, at most 4: tests that give a fault some seconds to be noticed need the processor then.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -gt 4 ] && n=4; echo $$n)
# Python keeps what it has compiled, whatever the shell says: a run of the tests starts some 200 processes, and without
# it each of them compiles all that it imports, which takes longer than the rest of its start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test lint format messages bench screenshots lock clean

run: $(VENV)/.run
	@exec $(BIN)/python manage.py up $(ARGS)

test: lint chromium lighthouse
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder --database postgres
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder --database sqlite -m "not once"

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	git ls-files -z 'templates/*.html' | xargs -0 $(BIN)/djade --check
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/python -m catalogue check

messages: $(VENV)/.test
	$(BIN)/python -m catalogue update

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	git ls-files -z 'templates/*.html' | xargs -0 $(BIN)/djade

bench: $(VENV)/.test
	$(BIN)/python -m bench $(ARGS)

screenshots: $(VENV)/.test chromium
	$(BIN)/python -m pytest tests/browser --screenshots docs/img --gallery var/screens -k "screenshots or gallery"
	@echo "Look at var/screens/index.html: every screen side by side."

# Measures the public pages in `make test`, where there is Node.js; without it those tests say so and are skipped.
LIGHTHOUSE := tests/lighthouse/node_modules/.package-lock.json
.PHONY: lighthouse
lighthouse:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(LIGHTHOUSE); else echo "npm is not installed: no Lighthouse"; fi

$(LIGHTHOUSE): tests/lighthouse/package-lock.json
	@npm ci --prefix tests/lighthouse --no-progress && touch $@ || echo "Lighthouse could not be installed, so its tests are skipped."

.PHONY: chromium
chromium: $(VENV)/.test
	@deploy/get-chromium $(BIN)/playwright

# Dependencies come from the hashed locks. The stamps make the second run fast; the test lock holds the run lock too.

$(VENV)/bin/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.run: requirements.txt | $(VENV)/bin/uv
	@if [ -e $(VENV)/.test ]; then lock=requirements-dev.txt; else lock=requirements.txt; fi; \
	$(BIN)/uv pip sync --quiet --python $(BIN)/python $$lock
	@touch $@

$(VENV)/.test: requirements-dev.txt | $(VENV)/bin/uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements-dev.txt
	@touch $@ $(VENV)/.run

lock: $(VENV)/bin/uv
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 $(ARGS) requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 $(ARGS) requirements-dev.in -o requirements-dev.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis .import_linter_cache
