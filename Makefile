# Works with GNU make 3.81 (macOS) and later.
.DEFAULT_GOAL := help
.PHONY: help install run test test-newest test-mariadb test-deploy mess simulate fuzz faults faults-short check bench bench-short bench-history bench-retention audit sbom lock

BIN := .venv/bin
PORT = $(or $(CRONLEDGER_PORT),8000)
ARGS =
LOCK_ARGS =

# The first Python that is new enough; another one with `make install PYTHON=/path/to/python3`.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON = $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$python" -c '$(NEW_ENOUGH)' 2>/dev/null && { echo "$$python"; break; }; done)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/installed ## make .venv with the locked dependencies and the command cronledger

.venv/installed: requirements.lock pyproject.toml
	@python='$(PYTHON)'; \
	test -n "$$python" && "$$python" -c '$(NEW_ENOUGH)' || { \
		echo "Cronledger needs Python 3.11 or later, and none was found. Name one: make install PYTHON=/path/to/python3" >&2; exit 1; }; \
	"$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python can't make environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }; \
	echo "Installing the locked dependencies into .venv"; \
	test -x $(BIN)/python || "$$python" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: install ## migrate the database and serve on 127.0.0.1; another port with PORT=9000
	@CRONLEDGER_TARGETS=$${CRONLEDGER_TARGETS:-any} CRONLEDGER_PORT=$(PORT) exec $(BIN)/cronledger serve

test: install ## run all tests on SQLite and PostgreSQL; some of them with ARGS="tests/unit -k leap"
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --ignore=tests/deploy $(ARGS)

NEWEST = tests/db tests/api

test-newest: install ## what PostgreSQL does for the API and the ledger, on the newest one, which comes as a wheel; less with NEWEST=tests/db
	@CRONLEDGER_TEST_STORES=postgresql CRONLEDGER_TEST_POSTGRES_BINDIR=wheel CRONLEDGER_TEST_POSTGRES_URL= \
		$(BIN)/python -m pytest -n 2 --dist loadgroup $(NEWEST) $(ARGS)

# A connect that is cut off leaves its socket to the garbage collector: asyncmy 0.2.18.
LEFT_OPEN = -W "ignore:unclosed:ResourceWarning"

test-mariadb: install ## run what is tested on every store on MariaDB, which must be installed
	@CRONLEDGER_TEST_STORES=mariadb $(BIN)/python -m pytest -n 2 --dist loadgroup --ignore=tests/deploy $(LEFT_OPEN) $(ARGS)

test-deploy: install ## two replicas behind a real nginx, and before a real PgBouncer; both must be installed
	@$(BIN)/python -m pytest tests/deploy $(ARGS)

mess: install ## a night that goes wrong with two replicas, and what explain says of it; libfaketime must be installed
	@$(BIN)/python -m tests.mess $(ARGS)

simulate: install ## replicas, jobs and crashes by the dice: seeds that failed once, and 50,000 steps; others with ARGS="--seed 2 --store postgresql"
	@$(BIN)/python -m tests.simulation $(ARGS)

fuzz: install ## texts of all kinds for the readers of schedules, endpoints and cursors, 60 s each; less with ARGS="--seconds 5"
	@$(BIN)/python -m tests.fuzz $(ARGS)

ONLY =
ROWS = $(if $(ONLY),--only $(ONLY)) $(ARGS)

faults: install ## kill, cut, stop and fill what the service runs on, and check the ledger; one row with ONLY=F5; as root
	@$(BIN)/python -m faults $(ROWS)

faults-short: install ## the same in short
	@$(BIN)/python -m faults --short $(ROWS)

check: install ## lint, types, import contracts, bandit, migrations equal models, openapi/ current
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive app alembic
	$(BIN)/cronledger openapi --check
	$(BIN)/cronledger migrate --check

bench: install ## a thousand jobs due in the same second, for 30 s, on PostgreSQL
	@$(BIN)/python -m benchmarks.every_second --jobs 1000 --seconds 30

bench-short: install ## the same with a hundred jobs, for 5 s
	@$(BIN)/python -m benchmarks.every_second --jobs 100 --seconds 5

bench-history: install ## explain, runs, stats and forecast over a million runs, on PostgreSQL
	@$(BIN)/python -m benchmarks.history

bench-retention: install ## half a million runs go while 200 jobs are due each second, on PostgreSQL
	@$(BIN)/python -m benchmarks.retention

AUDIT = .venv-audit/bin
SBOM = cronledger.cdx.json

.venv-audit/installed: requirements-audit.lock | .venv/installed
	@$(BIN)/python -m venv .venv-audit
	@$(AUDIT)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-audit.lock
	@touch $@

audit: .venv-audit/installed ## ask the advisory database about what the service runs on; fails where it can't be reached
	@$(AUDIT)/pip-audit --strict --require-hashes --disable-pip -r requirements-runtime.lock

sbom: .venv-audit/installed ## write what the service runs on to cronledger.cdx.json, a CycloneDX document
	@$(AUDIT)/cyclonedx-py requirements requirements-runtime.lock --pyproject pyproject.toml --mc-type application \
		--output-reproducible --output-file $(SBOM)
	@echo "$(SBOM)"

UV = uv
LOCKED = $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" $(LOCK_ARGS)
COMPILE = $(LOCKED) pyproject.toml

lock: ## write the lock files anew after a change of pyproject.toml; newer versions with LOCK_ARGS=--upgrade
	@command -v $(UV) >/dev/null || { echo "Locking needs uv: pip install uv, or make lock UV=/path/to/uv" >&2; exit 1; }
	@$(COMPILE) --group dev --output-file requirements.lock
	@$(COMPILE) --no-annotate --constraints requirements.lock --output-file requirements-runtime.lock
	@$(LOCKED) --no-annotate --group audit --output-file requirements-audit.lock
