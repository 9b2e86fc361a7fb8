# The commands of the project; `make` alone lists them. Settings come from the environment or behind the target:
# make run PORT=8001 BIND=0.0.0.0. All paths are relative: the folder may have any name.

PYTHON ?= python3
VENV := .venv/bin/python
COMMAND := $(VENV) -m marketplace
COMPILE := $(VENV) -m uv pip compile --quiet --universal --generate-hashes --python-version 3.10 \
	--custom-compile-command "make lock" --no-emit-index-url --no-emit-find-links --upgrade

.DEFAULT_GOAL := help
.PHONY: help run worker test test-install lint audit fuzz fuzz-decoders attack chaos test-ha edge bench-data bench bench-calls bench-selling-data bench-selling bench-selling-lists bench-import worst psql migrate check-sql \
	check-documents check-selling statement explain openapi clients image release backup restore demo-reset lock clean ready ready-dev ready-fuzz ready-bench ready-clients ready-ha ready-release

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

run: ready ## start everything: database, API (PORT, BIND) and worker; Ctrl-C stops it
	@exec $(COMMAND) run --with-parent

worker: ready ## run the job worker alone
	@exec $(COMMAND) worker

test: ready-dev ## run the tests, side by side what can be (JOBS=2, ARGS="-k words")
	@exec $(VENV) tests/suite.py $(ARGS)

test-install: ready-dev ## follow the chapter on installing in a fresh Debian that is booted for it (root, debootstrap, systemd-nspawn)
	@PYTHONPATH=.:tests exec $(VENV) tests/system/install_trial.py $(ARGS)

lint: ready-dev ## check Python (ruff, mypy) and SQL (squawk, sqlfluff)
	@$(VENV) -m ruff check .
	@$(VENV) -m ruff format --check --quiet .
	@$(VENV) -m mypy
	@.venv/bin/squawk --config .squawk.toml sql/migrations/*.sql
	@cd sql && ../$(VENV) -m sqlfluff lint --disable-progress-bar --processes 2 migrations
	@$(VENV) -m tools.lint_sql

audit: ready-dev ## compare installed packages with their pins, look for known vulnerabilities (ARGS=--strict)
	@exec $(VENV) -m tools.audit $(ARGS)

fuzz: ready-dev ready-fuzz ## fuzz the API by its own document, as each role (EXAMPLES=20)
	@PYTHONPATH=.:tests exec $(VENV) tests/system/fuzz.py --examples $(or $(EXAMPLES),20) $(ARGS)

fuzz-decoders: ready-dev ## feed damaged images to their decoders (SECONDS=60, ARGS="--keep FOLDER")
	@PYTHONPATH=.:tests exec $(VENV) tests/system/decoder_fuzz.py --seconds $(or $(SECONDS),60) $(ARGS)

attack: ready-dev ## run a folder of attack scripts against a throw-away system behind nginx (CHECKS=FOLDER, ARGS="--only jwt_attacks")
	@test -n "$(CHECKS)" || { echo "Name the folder of scripts: make attack CHECKS=FOLDER"; exit 2; }
	@PYTHONPATH=.:tests exec $(VENV) tests/system/attack.py --checks "$(abspath $(CHECKS))" $(ARGS)

chaos: ready-dev ## break PostgreSQL, network and disks under a load of writes (CHECKS=FOLDER, ARGS="--only pg-freeze --seconds 25")
	@test -n "$(CHECKS)" || { echo "Name the folder of scripts: make chaos CHECKS=FOLDER"; exit 2; }
	@PYTHONPATH=.:tests exec $(VENV) tests/system/chaos.py --checks "$(abspath $(CHECKS))" $(ARGS)

test-ha: ready-dev ready-ha ## kill parts of a whole system of several machines under load (ARGS="--only switchover")
	@PYTHONPATH=.:tests exec $(VENV) -m system.ha $(ARGS)

edge: ready-dev ## measure nginx's cache: CPU a hit, and how old its responses are (needs nginx and wrk; ARGS="--trials 0")
	@PYTHONPATH=.:tests exec $(VENV) tests/system/edge_cost.py $(ARGS)

bench-data: ready ## make a shop of N=1000000 generated products in a database of its own (ARGS="--seed 2")
	@exec $(VENV) -m tools.bench data --products $(or $(N),1000000) $(ARGS)

bench: ready-bench ## measure what serving the generated shop costs (SECONDS=2 for each measure, ARGS="--rounds 5")
	@exec $(VENV) -m tools.bench run --seconds $(or $(SECONDS),2) $(ARGS)

bench-calls: ready ## measure what calls cost in Python, in one process (ARGS="--beside ../other" for another checkout in turns)
	@exec $(VENV) -m tools.bench calls $(ARGS)

bench-selling-data: ready ## make a trade of N=1000000 orders in a database of its own; one store has half of them
	@exec $(VENV) -m tools.bench selling --orders $(or $(N),1000000) $(ARGS)

bench-selling: ready-dev ## measure placing and paying beside their floors, and a request's Python (ARGS="--calls 300")
	@exec $(VENV) -m tools.bench placing $(ARGS)

bench-selling-lists: ready ## measure the lists of that trade as their callers ask them, and how long its proof takes
	@exec $(VENV) -m tools.bench lists $(ARGS)

bench-import: ready-bench ## measure what importing a file of N=1000000 rows costs (ARGS="--bad 20000")
	@exec $(VENV) -m tools.bench imports --rows $(or $(N),1000000) $(ARGS)

worst: ready ## look for the public request that costs the database most (N=4000 of them, ARGS="--seed 2")
	@exec $(VENV) -m tools.bench worst --requests $(or $(N),4000) $(ARGS)

psql: ready ## open psql on the database as its owner (ARGS="-c 'SELECT 1'")
	@exec $(COMMAND) psql $(ARGS)

migrate: ready ## bring the database up to sql/migrations
	@$(COMMAND) migrate

check-sql: ready ## make PostgreSQL prepare every statement of sql/queries
	@$(COMMAND) check-sql $(ARGS)

check-documents: ready ## compare product documents with the tables (ARGS=--rebuild)
	@$(COMMAND) check-documents $(ARGS)

check-selling: ready ## look for what must not be in stock, orders and books, one line a fault
	@$(COMMAND) check-selling $(ARGS)

statement: ready ## print a statement as it is sent, with its fragments in it (NAME=products.list)
	@$(COMMAND) statement $(NAME)

explain: ready ## show the plan of a statement (NAME=products.find ARGS="product_id=1")
	@$(COMMAND) explain $(NAME) $(ARGS)

openapi: ready ## write the OpenAPI document (FILE=openapi.json)
	@$(COMMAND) openapi $(FILE)

clients: ready ready-clients ## make clients for Kotlin, Swift, Dart and Python in clients/ (ARGS="kotlin dart")
	@$(VENV) tools/clients.py $(ARGS)

image: ## build the container image with docker, podman or buildah (ARGS="--tag marketplace:0.2.0")
	@exec $(PYTHON) deploy/image.py $(ARGS)

release: ready-dev ready-release ## check, build wheel, source archive, bill of materials and checksums, tag (VERSION=0.2.0)
	@test -n "$(VERSION)" || { echo "Name the version: make release VERSION=0.2.0"; exit 2; }
	@exec $(VENV) tools/release.py "$(VERSION)" $(ARGS)

backup: ready ## write database and uploads into a folder (FOLDER=backups, ARGS="--keep 14")
	@exec $(COMMAND) backup $(if $(FOLDER),--to "$(abspath $(FOLDER))") $(ARGS)

restore: ready ## restore a backup into an empty database, files into uploads (FROM=backups/DATE, ARGS="--into DATABASE")
	@test -n "$(FROM)" || { echo "Name the backup: make restore FROM=backups/DATE"; exit 2; }
	@exec $(COMMAND) restore --from "$(FROM)" $(ARGS)

demo-reset: ready ## remove the demo shop and load it anew
	@$(COMMAND) demo-reset

lock: ready-dev ## pin requirements*.txt anew from requirements*.in
	@$(COMPILE) requirements.in -o requirements.txt
	@$(COMPILE) requirements-embedded.in -o requirements-embedded.txt
	@$(COMPILE) requirements-s3.in -c requirements.txt -o requirements-s3.txt
	@$(COMPILE) requirements-dev.in -c requirements.txt -c requirements-s3.txt -o requirements-dev.txt
	@$(COMPILE) requirements-fuzz.in -c requirements.txt -c requirements-dev.txt -o requirements-fuzz.txt
	@$(COMPILE) requirements-bench.in -c requirements.txt -c requirements-dev.txt -o requirements-bench.txt
	@$(COMPILE) requirements-clients.in -c requirements.txt -c requirements-dev.txt -c requirements-fuzz.txt -o requirements-clients.txt
	@$(COMPILE) requirements-ha.in -c requirements.txt -c requirements-dev.txt -o requirements-ha.txt
	@$(COMPILE) requirements-release.in -c requirements.txt -c requirements-dev.txt -o requirements-release.txt

clean: ## remove .venv and caches; the data in .data stay
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache
	@find . -name __pycache__ -not -path "./.data/*" -prune -exec rm -rf {} +

ready:
	@$(PYTHON) tools/bootstrap.py

ready-dev:
	@$(PYTHON) tools/bootstrap.py dev

ready-fuzz:
	@$(PYTHON) tools/bootstrap.py fuzz

ready-bench:
	@$(PYTHON) tools/bootstrap.py bench

ready-clients:
	@$(PYTHON) tools/bootstrap.py clients

ready-ha:
	@$(PYTHON) tools/bootstrap.py ha

ready-release:
	@$(PYTHON) tools/bootstrap.py release
