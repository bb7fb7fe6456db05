# Two commands: `make demo` shows the whole path at work, `make test` proves it.
# Each makes its own virtual environment and installs what it needs.

VENV   := .venv
BIN    := $(VENV)/bin
SOURCE := setup.cfg pyproject.toml

.PHONY: demo test lint types contracts unit bench evaluate schemas clean help

help:
	@echo "make demo    watch ECG flow from a patch to alerts on MQTT (about a minute)"
	@echo "make test    style, types, import contracts and all tests"
	@echo "make bench   speed of the signal path and of publishing, beside its peers"
	@echo "make evaluate  figures on all annotated recordings in EDGE_DATA (half an hour of one core)"
	@echo "make clean   remove the virtual environment and all caches"

demo: $(VENV)/.demo
	$(BIN)/edge demo $(DEMO)

test: lint types contracts unit

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

contracts: $(VENV)/.test
	$(BIN)/lint-imports

unit: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST)

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.bench_signal_path
	$(BIN)/python -m benchmarks.bench_publish
	$(BIN)/python -m benchmarks.bench_damage
	$(BIN)/python -m benchmarks.bench_delay

EDGE_DATA ?= ../shared/data
JUDGE     := $(BIN)/edge evaluate
HAVE      = test ! -e $(EDGE_DATA)/$(1) ||

evaluate: $(VENV)/.demo
	@test -d $(EDGE_DATA)/mitdb || { echo "no recordings: set EDGE_DATA to a folder that holds mitdb/ from PhysioNet"; exit 1; }
	$(JUDGE) qrs $(EDGE_DATA)/mitdb --lead 0
	$(JUDGE) beats $(EDGE_DATA)/mitdb --records ds2
	$(JUDGE) rhythm $(EDGE_DATA)/mitdb --records ds2
	$(JUDGE) alarms $(EDGE_DATA)/mitdb --records ds2
	$(call HAVE,vfdb) $(JUDGE) rhythm $(EDGE_DATA)/vfdb --records vfdb-test
	$(call HAVE,vfdb) $(JUDGE) alarms $(EDGE_DATA)/vfdb --records vfdb-test
	$(call HAVE,cinc2017) $(JUDGE) rhythm $(EDGE_DATA)/cinc2017 --records cinc-dev
	$(call HAVE,nstdb/em.hea) $(JUDGE) qrs $(EDGE_DATA)/mitdb --lead 0 --noise $(EDGE_DATA)/nstdb/em --snr 6

$(VENV)/.python:
	sh .ci/make-venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python $(SOURCE)
	$(BIN)/pip install -qq --editable '.[broker,records]'
	$(BIN)/edge warmup
	-@sh .ci/install-mosquitto
	@touch $@

$(VENV)/.test: $(VENV)/.demo $(SOURCE)
	$(BIN)/pip install -qq --editable '.[broker,records,dev]'
	@touch $@

$(VENV)/.bench: $(VENV)/.test $(SOURCE)
	$(BIN)/pip install -qq --editable '.[records,benchmarks]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
