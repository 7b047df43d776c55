# Tacit: what a person types. Each target says what it does; `make` alone lists them.

PYTEST_WORKERS ?= 2
ARGS ?=
# What `make test` runs a second time, on PostgreSQL: store, value route, claims, leases, search,
# migrations, the audit's chain, concurrent changes.
ON_POSTGRES = tests/integration/test_db.py tests/integration/test_migrations.py \
	tests/integration/vault tests/integration/runs tests/integration/runtime \
	tests/security/test_s12_concurrent_changes.py tests/security/test_s17_no_audit_no_value.py

.PHONY: help setup run test test-postgres chaos lint bench docs lock

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## prepare .venv from the hashed lock files; nothing to do means no time spent
	@sh scripts/setup.sh

run: setup ## start everything on https://localhost:8443; ARGS="--port 9443" and so on
	@exec .venv/bin/tacit up $(ARGS)

lint: setup ## ruff, mypy and the import contracts
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

test: setup ## everything: lint, JavaScript, Python, the real browser
	@sh scripts/test-tools.sh
	$(MAKE) --no-print-directory lint
	@sh scripts/test-js.sh
	@sh scripts/test-py.sh -n $(PYTEST_WORKERS) $(ARGS)
	@TACIT_TEST_DATABASE=postgres sh scripts/test-py.sh -n $(PYTEST_WORKERS) $(ON_POSTGRES) $(ARGS)

test-postgres: setup ## the whole Python suite on PostgreSQL instead of SQLite
	@sh scripts/test-tools.sh
	@TACIT_TEST_DATABASE=postgres sh scripts/test-py.sh -n $(PYTEST_WORKERS) $(ARGS)

chaos: setup ## 500 runs while everything is killed for two minutes, on SQLite and PostgreSQL
	@TACIT_CHAOS_RUNS=500 TACIT_CHAOS_SECONDS=120 sh scripts/test-py.sh -s tests/chaos $(ARGS)
	@TACIT_CHAOS_RUNS=500 TACIT_CHAOS_SECONDS=120 TACIT_TEST_DATABASE=postgres \
		sh scripts/test-py.sh -s tests/chaos $(ARGS)

bench: setup ## measure runs and the value endpoint against a real `tacit up`
	.venv/bin/python -m bench $(ARGS)

docs: setup ## write the reference of settings anew
	.venv/bin/python scripts/settings.py

lock: ## resolve the dependencies anew (requirements.lock, requirements-uv.lock), with hashes
	@sh scripts/lock.sh
