# `make run` and `make test` set themselves up: they need Python 3.11 or newer and nothing else.

HOST ?= 127.0.0.1
PORT ?= 8050
ARGS ?=

# Real MNIST and pen strokes, for the tests and the training of the bundled networks.
ifneq ($(wildcard ../shared/data),)
export LAYERSCOPE_DATA ?= $(CURDIR)/../shared/data
endif

PYTHON := .venv/bin/python
PINNED := setup.cfg pyproject.toml constraints.txt
# As variables rather than `-c`, the versions also hold where pip builds a source distribution; newer pips read the second.
INSTALL := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
           $(PYTHON) -m pip install --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run test lint bench pictures views weights clean browser

help:  ## what there is to make
	@echo "Layerscope: draw a digit and watch every layer answer."
	@echo
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

run: .venv/installed  ## start the dashboard on http://127.0.0.1:8050 (PORT=8051, HOST=0.0.0.0, ARGS="--debug")
	@$(PYTHON) -m layerscope serve --host $(HOST) --port $(PORT) $(ARGS)

test: lint browser  ## lint, then every test, two files at a time (ARGS="-k canvas")
	.venv/bin/pytest --numprocesses 2 --dist loadfile $(ARGS)

lint: .venv/installed-for-tests .venv/source/layerscope  ## ruff, mypy and import-linter
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

bench: .venv/installed-for-tests browser  ## measure what is promised about speed and memory (ARGS="--only live")
	$(PYTHON) benchmarks/run.py $(ARGS)

pictures: .venv/installed-for-tests browser  ## take the pictures of the README again
	$(PYTHON) scripts/pictures.py

views: .venv/installed-for-tests browser  ## write the pages of the views and take their pictures (ARGS=NAME takes one)
	$(PYTHON) scripts/view_pages.py $(ARGS)

weights: .venv/installed  ## train the bundled networks again (needs LAYERSCOPE_DATA)
	$(PYTHON) -m layerscope.training.pretraining $(ARGS)

clean:  ## remove the environment and everything else that was generated
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

browser: .venv/installed-for-tests
	@$(PYTHON) scripts/browser.py --install

.venv/created:
	@sh scripts/create_venv.sh
	@touch $@

.venv/installed: .venv/created $(PINNED)
	@echo "Installing Layerscope with Keras and PyTorch into .venv; the first time this takes a few minutes."
	@$(INSTALL) --editable '.[all]'
	@touch $@

.venv/installed-for-tests: .venv/created $(PINNED)
	@echo "Installing Layerscope and its tests into .venv; the first time this takes a few minutes."
	@$(INSTALL) --editable '.[all,test]'
	@touch .venv/installed $@

# mypy looks for packages by folder name, and a clone may be called anything.
.venv/source/layerscope: | .venv/created
	@mkdir -p .venv/source
	@ln -sfn ../.. $@
