# unmix: `make` prints what there is.
PYTHON ?= python3
VENV := .venv
# sources keep their own environment: a path with a space is fine because nothing here is a make target with one
PIP := "$(CURDIR)/$(VENV)/bin/python" -m pip --disable-pip-version-check
RUN := "$(CURDIR)/$(VENV)/bin"

.DEFAULT_GOAL := help
.PHONY: help demo test bench format screenshots clean

help:
	@echo "make demo          install unmix into .venv and run it on the three sample images"
	@echo "make test          install what the tests need into .venv, then ruff, mypy and pytest"
	@echo "make bench         time everything beside its peers, in an environment of its own (.venv-bench); ten minutes"
	@echo "make format        format the code and mend what the linter can mend"
	@echo "make screenshots   draw the pictures of the napari plugin into build/ and docs/"
	@echo "make clean         remove .venv and everything built"

demo: $(VENV)/demo.done
	$(RUN)/unmix demo --out demo_output --overwrite

test: $(VENV)/test.done
	@sh .ci/display
	$(RUN)/ruff format --check unmix tests examples benchmarks
	$(RUN)/ruff check unmix tests examples benchmarks
	$(RUN)/mypy
	sh .ci/under-xvfb $(RUN)/python -m pytest -n 2

bench: $(VENV)-bench/peers.done
	"$(CURDIR)/$(VENV)-bench/bin/python" benchmarks/speed.py

format: $(VENV)/test.done
	$(RUN)/ruff format unmix tests examples benchmarks
	$(RUN)/ruff check --fix unmix tests examples benchmarks

screenshots: $(VENV)/test.done
	xvfb-run -a -s "-screen 0 2400x1400x24 +extension GLX" $(RUN)/python docs/make_screenshots.py build/screenshots
	xvfb-run -a -s "-screen 0 2400x1400x24 +extension GLX" $(RUN)/python docs/make_screenshots.py build/screenshots --scale 1.25

clean:
	rm -rf $(VENV) $(VENV)-bench build dist demo_output .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(VENV)/python.done:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "unmix needs Python 3.11 or newer; say make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/demo.done: $(VENV)/python.done pyproject.toml
	$(PIP) install --quiet -e .
	@touch $@

$(VENV)/test.done: $(VENV)/python.done pyproject.toml
	$(PIP) install --quiet -e ".[test]"
	@touch $@ $(VENV)/demo.done

$(VENV)-bench/peers.done: benchmarks/peers.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)-bench
	"$(CURDIR)/$(VENV)-bench/bin/python" -m pip --disable-pip-version-check install --quiet -e . -r benchmarks/peers.txt
	@touch $@
