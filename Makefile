# Two commands: `make demo` shows the whole path at work, `make test` proves it.
# Each makes its own virtual environment and installs what it needs.

VENV   := .venv
BIN    := $(VENV)/bin
SOURCE := setup.cfg pyproject.toml

.PHONY: demo test lint types contracts unit bench results evaluate reliability train schemas clean help

help:
	@echo "make demo    watch ECG flow from a patch to alerts on MQTT (about a minute)"
	@echo "make test    style, types, import contracts and all tests"
	@echo "make bench   speed of the signal path and of publishing, beside its peers"
	@echo "make results  all benchmarks, one page: docs/results.md (a quarter of an hour of a quiet machine)"
	@echo "make evaluate  figures on all annotated recordings in EDGE_DATA (half an hour of one core)"
	@echo "make reliability  kill and cut the power at every step of an alert (half an hour of two cores)"
	@echo "make train     data, pre-training, training, export and figures of the encoder (2 hours of one core)"
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

PYTEST ?= -n 2 --dist loadfile

unit: $(VENV)/.test
	sh .ci/unit $(BIN)/python $(PYTEST)

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.bench_signal_path
	$(BIN)/python -m benchmarks.bench_publish
	$(BIN)/python -m benchmarks.bench_damage
	$(BIN)/python -m benchmarks.bench_delay

results: $(VENV)/.bench
	$(BIN)/python -m benchmarks.results

EDGE_DATA ?= ../shared/data
RATCHET   ?= --ratchet benchmarks/ratchet.json
JUDGE     := $(BIN)/edge evaluate
HAVE      = test ! -e $(EDGE_DATA)/$(1) ||
NOISE     := --noise $(EDGE_DATA)/nstdb/em --noise-from half

evaluate: $(VENV)/.demo
	@test -d $(EDGE_DATA)/mitdb || { echo "no recordings: set EDGE_DATA to a folder that holds mitdb/ from PhysioNet"; exit 1; }
	$(JUDGE) qrs $(EDGE_DATA)/mitdb --lead 0 $(RATCHET)
	$(JUDGE) qrs $(EDGE_DATA)/mitdb --lead 0 --records ds2,102,104,107,217 $(RATCHET)
	$(JUDGE) beats $(EDGE_DATA)/mitdb --records ds2 --lead 0 $(RATCHET)
	$(JUDGE) rhythm $(EDGE_DATA)/mitdb --records ds2 $(RATCHET)
	$(JUDGE) alarms $(EDGE_DATA)/mitdb --records ds2 $(RATCHET)
	$(call HAVE,vfdb) $(JUDGE) rhythm $(EDGE_DATA)/vfdb --records vfdb-test $(RATCHET)
	$(call HAVE,vfdb) $(JUDGE) alarms $(EDGE_DATA)/vfdb --records vfdb-test $(RATCHET)
	$(call HAVE,cinc2017) $(JUDGE) rhythm $(EDGE_DATA)/cinc2017 --records cinc-dev $(RATCHET)
	$(call HAVE,nstdb/em.hea) $(JUDGE) qrs $(EDGE_DATA)/mitdb --lead 0 $(NOISE) --snr 6 $(RATCHET)
	$(call HAVE,nstdb/em.hea) $(JUDGE) qrs $(EDGE_DATA)/mitdb --lead 0 $(NOISE) --noise-method whole --snr 6 $(RATCHET)
	$(call HAVE,nstdb/em.hea) $(JUDGE) qrs $(EDGE_DATA)/mitdb --lead 0 $(NOISE) --noise-method whole --snr 0 $(RATCHET)

reliability: $(VENV)/.test
	EDGE_RELIABILITY=full $(BIN)/python -m pytest -s tests/reliability tests/firmware_bridge/test_link.py \
		tests/firmware_bridge/test_ble_link.py tests/firmware_bridge/test_time_base.py

SIZE  ?= s
CINC  ?= $(EDGE_DATA)/cinc2017
ARRDB ?= $(EDGE_DATA)/arrdb
TRAIN := OMP_NUM_THREADS=1 $(BIN)/python -m

.data/training.npz: | $(VENV)/.training
	$(TRAIN) models.training.data --data $(EDGE_DATA) --cinc $(CINC)

.data/consensus.npz: | $(VENV)/.training
	$(TRAIN) models.training.consensus --data $(EDGE_DATA) --cinc $(CINC)

.data/sequences.npz: | $(VENV)/.training
	$(TRAIN) firmware_bridge.patch.beat_sequences --arrdb $(ARRDB) --ltafdb $(EDGE_DATA)/ltafdb_atr --out $@

.data/rendered.npz: | $(VENV)/.training
	$(TRAIN) firmware_bridge.patch.render --sequences $(ARRDB) --out $@

train: .data/training.npz .data/consensus.npz .data/sequences.npz .data/rendered.npz
	$(TRAIN) models.training.pretrain --size $(SIZE) --method latent --steps 500
	$(TRAIN) models.training.train --size $(SIZE) --init .runs/$(SIZE)-latent/encoder
	$(TRAIN) models.training.beat_data --size $(SIZE) --run .runs/$(SIZE) --out .data/beats-$(SIZE).npz
	$(TRAIN) models.training.beat_train --sequences .data/beats-$(SIZE).npz --run .runs/beats-$(SIZE)
	$(TRAIN) models.training.export --size $(SIZE) --beats .runs/beats-$(SIZE)
	$(TRAIN) models.training.evaluate --size $(SIZE)

schemas: $(VENV)/.demo
	$(BIN)/python -m edge.schemas

$(VENV)/.python:
	sh .ci/make-venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python $(SOURCE)
	$(BIN)/pip install -qq --editable '.[broker,records]'
	$(BIN)/edge warmup
	-@sh .ci/install mosquitto "mosquitto mosquitto-clients" "the demo uses its embedded broker, broker tests skip"
	@touch $@

$(VENV)/.test: $(VENV)/.demo $(SOURCE)
	$(BIN)/pip install -qq --editable '.[broker,records,dev]'
	@touch $@

$(VENV)/.bench: $(VENV)/.test $(SOURCE)
	$(BIN)/pip install -qq --editable '.[records,benchmarks]'
	@touch $@

$(VENV)/.training: $(VENV)/.test $(SOURCE)
	$(BIN)/pip install -qq --editable '.[records,training]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
