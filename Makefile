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

demo: $(VENV)/installed
	$(BIN)/rl-editor sample-data $(DEMO) --songs 2 --minutes 3 --seed 7 --overwrite
	$(BIN)/rl-editor edit $(DEMO)/jams/*_raw.wav -o $(DEMO)/ --overwrite
	$(BIN)/rl-editor synthesize $(DEMO)/*.wav -o $(DEMO)/training_data --count 2
	$(BIN)/rl-editor prepare $(DEMO)/training_data
	@rm -rf $(DEMO)/runs
	$(BIN)/rl-editor bc-warmup --data.takes.folder $(DEMO)/training_data/prepared --runs $(DEMO)/runs --name demo \
		--trainer.max_epochs 1000 --trainer.max_time 00:00:01:00 --trainer.check_val_every_n_epoch 1000
	$(BIN)/rl-editor edit $(DEMO)/jams/*_raw.wav -o $(DEMO)/policy/ --checkpoint $(DEMO)/runs/demo --overwrite
	@echo
	@echo "Listen: the jams are $$(ls $(DEMO)/jams/*_raw.wav), their edits $$(ls $(DEMO)/*.edit.wav)"
	@echo "        and what a policy made of them that learned for a minute: $$(ls $(DEMO)/policy/*.wav)"
	@echo "Look:   $$(ls $(DEMO)/*.edit.png); the decisions are in $$(ls $(DEMO)/*.edit.json)"

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
