# Each target does the set-up it needs. A machine needs Python 3.11 or newer, make and a package registry.
# PYTHON=python3.13 chooses the interpreter; without it the newest one on PATH that can make an environment is used.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench soak clients clean

help:
	@echo "make demo      turn a long text into one MP3, offline, through the real engine"
	@echo "make test      check, then every test"
	@echo "make check     lint, format and types"
	@echo "make bench     the figures, side by side with peers"
	@echo "make soak      the long tests"
	@echo "make clients   the tests against real assistants and clients"
	@echo "make install   make $(VENV) with everything"
	@echo "make clean     remove $(VENV), caches and builds"

install: $(INSTALLED)

# The interpreter is a prerequisite, so that an environment whose Python went away is made anew.
$(INSTALLED): pyproject.toml scripts/make-venv $(BIN)/python
	scripts/make-venv $(VENV)
	@touch $@

$(BIN)/python:
	scripts/make-venv --only-interpreter $(VENV)

demo: install
	$(BIN)/detent demo

# Four at a time on two cores: tests wait for processes more than half of their time. What fails beside others, on a
# machine that is busy, is tried once more alone; what fails twice fails the whole. The second run loses every work ticket
# on purpose: what remains is the poll, and nothing may be lost by it. The third replays every run at each durable wait:
# the documentation, the examples and the shipped tasks. The fourth runs tasks on PostgreSQL. A loop of a thousand waits,
# or a thousand chunks, takes too long in all three; what is refused before there is a run is the same in them.
PARALLEL := -n 4 --dist worksteal
# Where all is over in seconds, another process costs more than it does.
BRIEFLY := -n 3 --dist worksteal
ALONE := --last-failed --last-failed-no-failures none -p no:xdist
# Where a run waits on a thread of its own, a harness tells only by the silence that time has to pass; the poll breaks it.
SILENT := not helper_thread and not loop_of_its_own
SHORT := not thousand and not refused and not is_known and not type_checker
TICKETLESS := $(patsubst %,tests/worker/test_%.py,running triggering waits tokens_in_runs)
COLD := tests/docs/test_code_blocks.py tests/docs/test_examples.py tests/tts/test_example.py tests/tts/test_tasks.py

test: check
	$(BIN)/python -m pytest $(PARALLEL) || $(BIN)/python -m pytest $(ALONE)
	DETENT_TICKETS=drop $(BIN)/python -m pytest -q $(BRIEFLY) -k "$(SILENT) and $(SHORT)" $(TICKETLESS)
	DETENT_REPLAY=always $(BIN)/python -m pytest -q $(BRIEFLY) -k "$(SHORT)" $(COLD)
	DETENT_TEST_STORE=postgresql $(BIN)/python -m pytest -q $(BRIEFLY) -k "$(SHORT)" $(TICKETLESS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2

bench: install
	$(BIN)/python -m benchmarks

soak: install
	$(BIN)/python -m pytest -m soak --timeout 3600
	DETENT_TICKETS=drop $(BIN)/python -m pytest -q $(PARALLEL) -k "$(SILENT)" tests/worker
	DETENT_REPLAY=always $(BIN)/python -m pytest -q $(PARALLEL) $(COLD)

clients: install
	$(BIN)/python -m pytest -m clients --timeout 900

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
