# GenreMill. `make` prints the targets. Variables go on to the configuration (config.toml).

PYTHON ?= python3.11
VENV   ?= .venv
DATA   ?= data
CONFIG ?= config.toml
# Genres trained side by side.
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)
RUNNER ?= local
BEAM_FLAGS ?=
# Further settings, for instance SET="--set train.num_steps=1000".
SET    ?=
# The demo keeps to a folder of its own, unless DATA was given.
DEMO_DATA := $(if $(filter file,$(origin DATA)),demo,$(value DATA))
DEMO_GENRES ?= baroque,irish folk,chinese traditional

# Values reach the shell through the environment, unexpanded: quotes, spaces and dollar
# signs in names are safe.
PASSED_ON = DATA CONFIG RUNNER SITE INDEX FOLDER SELECT I_HAVE_PERMISSION SOURCE GENRE_TABLE PROVIDERS PROVIDER GENRES GENRE WHERE MODEL HPARAMS BASE ENCODING EXTRACTION SETTINGS FORMAT SWEEP FORCE SEED SET BEAM_FLAGS
$(foreach name,$(PASSED_ON),$(eval override $(name) := $$(value $(name))))
export $(PASSED_ON) DEMO_DATA DEMO_GENRES

RUN = $(VENV)/bin/python -m
CHOSEN = --config "$$CONFIG" --set "data=$$DATA" --set "beam.runner=$$RUNNER" \
  $${SITE:+--set "scrape.site=$$SITE"} \
  $${INDEX:+--set "scrape.index=$$INDEX"} \
  $${FOLDER:+--set "scrape.folder=$$FOLDER"} \
  $${SELECT:+--set "scrape.only=$$SELECT"} \
  $${I_HAVE_PERMISSION:+--set "scrape.i_have_permission=$$I_HAVE_PERMISSION"} \
  $${SOURCE:+--set "ingest.source=$$SOURCE"} \
  $${GENRE_TABLE:+--set "genres.table=$$GENRE_TABLE"} \
  $${PROVIDERS:+--set "genres.providers=$$PROVIDERS"} \
  $${GENRES:+--set "subsets.genres=$$GENRES"} \
  $${WHERE:+--set "subsets.where=$$WHERE"} \
  $${MODEL:+--set "train.model=$$MODEL"} \
  $${HPARAMS:+--set "train.hparams=$$HPARAMS"} \
  $${BASE:+--set "train.base=$$BASE"} \
  $${ENCODING:+--set "examples.encoding=$$ENCODING"} \
  $${EXTRACTION:+--set "examples.extraction=$$EXTRACTION"} \
  $${SETTINGS:+--set "examples.settings=$$SETTINGS"} \
  $${FORMAT:+--set "examples.format=$$FORMAT"} \
  $${SEED:+--set "seed=$$SEED"} \
  $${FORCE:+--set "force=$$FORCE"} $$SET
SWEPT = $${SWEEP:+--sweep "$$SWEEP"}
BEAM = $${BEAM_FLAGS:+-- $$BEAM_FLAGS}
USER_EXTRAS = demo,train,viz
DEV_EXTRAS  = demo,train,viz,gcp,bench,miditok,dev
STAGES = ingest genres subsets examples

.DEFAULT_GOAL := help
.PHONY: help demo all install scrape $(STAGES) genres-purge viz explore listen train jobs sample beat play audio refine evaluate \
  report export \
  doctor test test-slow bench bench-ingest bench-sheets bench-duplicates bench-scrape bench-examples \
  bench-train bench-gpu bench-crossover screenshots fuzz check format lock clean

help: ## print this list
	@echo "make TARGET [SOURCE=folder | SITE=name] [GENRE_TABLE=file] [PROVIDERS=table,wikidata] [GENRES=\"metal,hip hop\"] [MODEL=name] [HPARAMS=..]"
	@echo "            [DATA=folder] [RUNNER=local|multiprocess|dataflow] [FORCE=1] [SEED=0]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	  while IFS='|' read -r name text; do printf '  %-17s %s\n' $$name "$$text"; done

demo: ## install everything and run the whole road on the embedded default corpus
	@$(MAKE) --no-print-directory all DATA="$$DEMO_DATA" SOURCE=music21_corpus \
	  GENRE_TABLE= GENRES="$$DEMO_GENRES" HPARAMS="$${HPARAMS:-batch_size=64,rnn_layer_sizes=[64,64]}" \
	  SET="--set ingest.limit_per_artist=120 $$SET"

all: $(VENV)/user ## run every stage: SOURCE, GENRE_TABLE, GENRES -> samples per genre
	@$(RUN) corpus.preflight $(CHOSEN)
	@$(RUN) trainers.train $(CHOSEN) --check
	@$${SITE:+$(MAKE) --no-print-directory scrape}
	@for stage in $(STAGES) viz; do $(MAKE) --no-print-directory $$stage || exit; done
	@for stage in train sample explore listen; do $(MAKE) --no-print-directory $$stage || exit; done
	@echo; $(MAKE) --no-print-directory report

scrape: ## collect the scores of SITE (lakh, pdmx, ..., or a TOML file) into raw/, politely
ingest: ## read every score of SOURCE: NoteSequences, a table of tracks, rejections
genres: ## look up the genres of every artist in GENRE_TABLE
subsets: ## make a subset of NoteSequences for each of GENRES, split three ways
examples: ## encode every subset as training examples
scrape $(STAGES): $(VENV)/user
	@$(RUN) pipelines.$@ $(CHOSEN) $(BEAM)

genres-purge: $(VENV)/user ## forget what PROVIDER answered (spotify, musicbrainz, ...)
	@$(RUN) pipelines.genres $(CHOSEN) --purge "$$PROVIDER"

viz: $(VENV)/user ## how genres cross over: artists by PCA and t-SNE, as a page and as pictures
	@$(RUN) viz.crossover $(CHOSEN)

explore: $(VENV)/user ## pages of every genre's pieces: rolls, sound, what each encoding makes of them
	@$(RUN) viz.explore $(CHOSEN)

listen: $(VENV)/user ## a page with the samples of MODEL beside real music, and a blind test
	@$(RUN) viz.listen $(CHOSEN)

# Side by side, as many as -j or JOBS says.
SIDE_BY_SIDE = $(if $(findstring --jobserver,$(MAKEFLAGS)),,-j$(JOBS))

train: $(VENV)/user ## train MODEL for each genre (SWEEP: every setting), JOBS side by side; BASE=all fine-tunes
	@if [ "$$BASE" = all ]; then $(MAKE) --no-print-directory train@all; fi
	@genres=$$($(RUN) trainers.train $(CHOSEN) $(SWEPT) --list) && \
	  $(MAKE) --no-print-directory $(SIDE_BY_SIDE) $$(for genre in $$genres; do echo train@$$genre; done)
	@$(RUN) trainers.train $(CHOSEN) $(SWEPT) --table

train@%: $(VENV)/user
	@OMP_NUM_THREADS=1 $(RUN) trainers.train $(CHOSEN) $(SWEPT) --genre "$*"

jobs: $(VENV)/user ## print the training jobs as JSON lines, for a scheduler
	@$(RUN) trainers.train $(CHOSEN) $(SWEPT) --jobs

sample: $(VENV)/user ## sample every trained genre as MIDI files, side by side for each SWEEP setting
	@$(RUN) trainers.sample $(CHOSEN) $(SWEPT)

beat: $(VENV)/user ## lay sampled drums under a sampled melody of GENRE, or of each genre, a minute long
	@$(RUN) trainers.beat $(CHOSEN) $${GENRE:+--genre "$$GENRE"}

play: $(VENV)/user ## play the model of GENRE, steered by lines on standard input
	@$(RUN) trainers.play $(CHOSEN) --genre "$$GENRE"

audio: $(VENV)/user ## render the samples as mp3, with fluidsynth or timidity, and ffmpeg
	@$(RUN) trainers.audio $(CHOSEN)

refine: $(VENV)/user ## train the nets that refine lengths and velocities, for GENRE or for all genres together
	@OMP_NUM_THREADS=1 $(RUN) trainers.refine $(CHOSEN) --train $${GENRE:+--genre "$$GENRE"}

evaluate: $(VENV)/user ## judge the samples: loss, originality, musical figures against held-out music
	@$(RUN) trainers.evaluate $(CHOSEN)

report: $(VENV)/user ## what every stage did: a table here, a page, the dataset card and the licenses
	@$(RUN) viz.report $(CHOSEN)

export: $(VENV)/user ## the corpus as Parquet with the MIDI inside, beside its card
	@$(RUN) viz.export $(CHOSEN)

install: $(VENV)/user ## make the virtual environment and install GenreMill into it

doctor: $(VENV)/user ## check the installation
	@$(RUN) corpus.doctor

test: $(VENV)/dev ## run the test suite
	@$(RUN) pytest -n $(JOBS) -m "not slow" --durations=12

test-slow: $(VENV)/dev ## run every test, the slow ones too
	@$(RUN) pytest -n $(JOBS)

bench: $(VENV)/dev ## measure everything against its peers, side by side
	@$(MAKE) --no-print-directory bench-ingest bench-sheets bench-duplicates bench-scrape bench-examples bench-train

bench-ingest: $(VENV)/dev ## reading MIDI against other libraries, and the whole ingest stage; SOURCE: your files
	@$(RUN) benchmarks.ingest $${SOURCE:+--source "$$SOURCE"}

bench-sheets: $(VENV)/dev ## reading MusicXML and ABC against note_seq; SOURCE: your files
	@$(RUN) benchmarks.sheets $${SOURCE:+--source "$$SOURCE"}

bench-duplicates: $(VENV)/dev ## recall and precision of near duplicates, on copies that it makes; SOURCE: your files
	@$(RUN) benchmarks.duplicates $${SOURCE:+--source "$$SOURCE"}

bench-scrape: $(VENV)/dev ## collecting a site on this machine against a loop of one's own and wget
	@$(RUN) benchmarks.scrape

bench-examples: $(VENV)/dev ## encoding against note_seq's own functions and miditok; SOURCE: your files
	@$(RUN) benchmarks.examples $${SOURCE:+--source "$$SOURCE"}

bench-train: $(VENV)/dev ## training and sampling against a plain PyTorch loop and this machine's limit
	@OMP_NUM_THREADS=1 $(RUN) benchmarks.training

bench-gpu: $(VENV)/dev ## training and sampling on a CUDA device, if there is one
	@$(RUN) benchmarks.gpu

bench-crossover: $(VENV)/dev ## the crossover page of 20,000 artists: time, size, first paint, hover
	@$(RUN) benchmarks.crossover

screenshots: $(VENV)/dev ## the pictures of README.md, from the pages of `make demo`
	@$(RUN) benchmarks.screenshots --data "$(DEMO_DATA)"

fuzz: $(VENV)/dev ## 100,000 damaged inputs: each must end as a score or as a reason; SOURCE: more to damage
	@$(RUN) benchmarks.fuzz $${SOURCE:+--seeds "$$SOURCE"}

check: $(VENV)/dev ## ruff and mypy
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy

format: $(VENV)/dev ## let ruff format the code
	@$(VENV)/bin/ruff check --fix . && $(VENV)/bin/ruff format .

lock: $(VENV)/dev ## write the versions that are installed here into constraints.txt
	@$(VENV)/bin/pip freeze --exclude-editable --exclude genremill | sed 's/+cpu//' > constraints.txt

clean: ## remove the virtual environment and what tools leave (never DATA)
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# One stage reads what the stage before wrote, so several goals run one after the other;
# the per-genre jobs of `make train` are goals of a make of their own and run side by side.
ifneq ($(filter scrape $(STAGES) viz explore listen train sample beat audio refine evaluate report export all demo,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

$(VENV)/user: setup.py pyproject.toml constraints.txt
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check -c constraints.txt -e ".[$(USER_EXTRAS)]"
	@touch $@

$(VENV)/dev: setup.py pyproject.toml constraints.txt
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check -c constraints.txt -e ".[$(DEV_EXTRAS)]"
	@touch $@ $(VENV)/user
