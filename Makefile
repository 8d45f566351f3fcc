# Two commands do all the set-up: `make demo` and `make test`. `make check` is what continuous integration adds.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
OLD_IPYTHON := build/ipython-8.12
WHEEL_CHECK := build/wheel-check
SITE := import sysconfig; print(sysconfig.get_path("purelib"))
# Lets the environment in folder $(1) import what the main one has, behind its own packages.
beside = $(BIN)/python -c '$(SITE)' > $$($(1)/bin/python -c '$(SITE)')/main-environment.pth

.PHONY: demo test test-old-ipython check lint types imports coverage wheel benchmarks clean

demo: $(INSTALLED)
	$(BIN)/shapeguard run examples/assignment.ipynb -o build/assignment.html -o build/assignment.json

test: $(INSTALLED) test-old-ipython
	$(BIN)/python -m pytest --cov --cov-report=

# The same extension tests on the oldest IPython that is supported; torch comes from the main environment.
test-old-ipython: $(OLD_IPYTHON)/.installed
	$(OLD_IPYTHON)/bin/python -m pytest tests/transports -m "not kernel" -p no:cacheprovider

check: lint types imports coverage wheel

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Of the data that `make test` left.
coverage: $(INSTALLED)
	$(BIN)/coverage report --fail-under=90

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports

# The wheel, imported from a folder where the source is out of the way; what it depends on comes from the main
# environment, whose own editable install a .pth line does not bring along.
wheel: $(INSTALLED)
	rm -rf dist $(WHEEL_CHECK)
	$(BIN)/python -m build --wheel --outdir dist .
	$(BIN)/python -m venv $(WHEEL_CHECK)
	$(WHEEL_CHECK)/bin/python -m pip install --quiet --no-deps dist/*.whl
	$(call beside,$(WHEEL_CHECK))
	cd $(WHEEL_CHECK) && bin/python -I -c "import shapeguard, ipython_ext, sys; \
		assert 'torch' not in sys.modules; \
		assert all('wheel-check' in m.__file__ for m in (shapeguard, ipython_ext)); \
		import torch; print(shapeguard.describe(torch.ones(6, 10)))"
	cd $(WHEEL_CHECK) && bin/shapeguard --version && bin/python -I -m shapeguard run --help > /dev/null

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
	$(call beside,$(OLD_IPYTHON))
	touch $@

clean:
	rm -rf build dist $(VENV)
