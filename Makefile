# Two commands do all the set-up: `make demo` and `make test`. `make check` is what continuous integration adds.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
OLD_IPYTHON := build/ipython-8.12

.PHONY: demo test test-old-ipython check lint types imports wheel benchmarks clean

demo: $(INSTALLED)
	$(BIN)/shapeguard run examples/assignment.ipynb -o build/assignment.html -o build/assignment.json

test: $(INSTALLED) test-old-ipython
	$(BIN)/python -m pytest --cov --cov-report=

# The same extension tests on the oldest IPython that is supported; torch comes from the main environment.
test-old-ipython: $(OLD_IPYTHON)/.installed
	$(OLD_IPYTHON)/bin/python -m pytest tests/transports -m "not kernel" -p no:cacheprovider -q

check: lint types imports wheel

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports

wheel: $(INSTALLED)
	$(BIN)/python -m pytest packaging

benchmarks: $(INSTALLED)
	$(BIN)/python -m benchmarks

$(INSTALLED): pyproject.toml constraints.txt
	@echo "installing into $(VENV), which takes a few minutes the first time"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --constraint constraints.txt --group dev --editable '.[notebook]'
	touch $@

$(OLD_IPYTHON)/.installed: constraints-ipython-8.12.txt $(INSTALLED)
	@echo "installing IPython 8.12 beside it"
	rm -rf $(OLD_IPYTHON)
	$(BIN)/python -m venv $(OLD_IPYTHON)
	$(OLD_IPYTHON)/bin/python -m pip install --quiet --requirement constraints-ipython-8.12.txt
	$(BIN)/python -c "import site; print(site.getsitepackages()[0])" \
		> $$($(OLD_IPYTHON)/bin/python -c "import site; print(site.getsitepackages()[0])")/main-environment.pth
	touch $@

clean:
	rm -rf build dist $(VENV)
