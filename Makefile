# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo

.PHONY: demo test test-slow lint install clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "rl-editor needs Python 3.11 or later; none was found (set PYTHON=...)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'torch==2.11.*' 'torchaudio==2.11.*' --editable '.[dev]'
	@touch $@

# songs that stand for yours, a jam of each; then all stages of learning, briefly, and a jam edited by what came of it
demo: $(VENV)/installed
	$(BIN)/rl-editor sample-data $(DEMO)/songs --songs 6 --minutes 2 --seed 7 --overwrite
	$(BIN)/rl-editor edit $(DEMO)/songs/jams/*_raw.wav -o $(DEMO)/ --overwrite
	$(BIN)/rl-editor synthesize $(DEMO)/songs/*.wav -o $(DEMO)/takes --count 2
	$(BIN)/rl-editor prepare $(DEMO)/takes
	@rm -rf $(DEMO)/runs
	$(BIN)/rl-editor pipeline --prepared $(DEMO)/takes/prepared --runs $(DEMO)/runs --name demo \
		--edit.recording "$$(ls $(DEMO)/songs/jams/*_raw.wav | head -n 1)" \
		--bc.trainer.max_epochs 8 --reward.trainer.max_epochs 4 --ppo.trainer.max_epochs 10
	@echo
	@echo "Listen: the jams are $$(ls $(DEMO)/songs/jams/*_raw.wav), their edits $$(ls $(DEMO)/*.edit.wav)"
	@echo "Look:   $$(ls $(DEMO)/*.edit.png); the decisions are in $$(ls $(DEMO)/*.edit.json)"
	@echo "Both:   $(DEMO)/runs/demo/report.html, what a policy that learned for minutes made of a jam, and how it learned"

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest -n 2 --dist loadfile

test-slow: $(VENV)/installed
	$(BIN)/pytest -n 2 --dist loadfile -m slow

clean:
	rm -rf $(VENV) $(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
