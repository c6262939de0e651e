# Everything starts here: `make demo` to hear it, `make lab` to learn it, `make test` to change it.
# Works with GNU make 3.81 or later (macOS has that) and any bash. `make` alone lists the commands.

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help demo lab slides slides-pdf test bench soak wheels constraints audit clean FORCE

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PY := $(BIN)/python

# One .venv serves all of this. A stamp file in it says what is installed; each depends on the two
# files that decide that, so with nothing changed every command starts at once.
CORE := .venv/.core
WORKSHOP := .venv/.workshop
TEST := .venv/.test
SLIDES := .venv/.slides
PRINT := .venv/.print
REVEAL := slides/node_modules/.package-lock.json
DECIDES := .venv/.made pyproject.toml constraints.txt
EXTRAS := workshop,openai,llamacpp,piper,litellm,mcp,screen,serve,redis,ray,otel,test

help: ## list these commands
	@echo "make COMMAND, where COMMAND is one of:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s%s\n", $$1, $$2 }'

demo: $(CORE) ## hear a recorded conversation (no torch, no Jupyter, no microphone)
	@$(BIN)/voice-kit demo $(ARGS)

lab: $(WORKSHOP) ## check this machine, then open the notebooks
	@$(BIN)/voice-kit doctor || echo "The notebooks work all the same, with what is here."
	@cd notebooks && flags="$(LAB)"; \
	if [ "$$(id -u)" = 0 ]; then flags="$$flags --allow-root"; fi; \
	if [ -n "$${SSH_CONNECTION:-}" ] || [ -e /.dockerenv ] || [ -e /run/.containerenv ] \
	    || { [ "$$(uname)" = Linux ] && [ -z "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ]; }; then \
	  echo "No browser on this machine: open the address below in yours (Ctrl-C stops)."; \
	  flags="$$flags --no-browser"; \
	fi; \
	PATH="$$(cd ../$(BIN) && pwd):$$PATH" exec ../$(PY) -m jupyterlab $$flags

slides: $(REVEAL) $(SLIDES) ## show the talk that goes with the course, sounds and all
	@$(PY) slides/build.py --serve --repository "$(REPOSITORY)"

slides-pdf: $(REVEAL) $(SLIDES) $(PRINT) ## print the talk into slides/build/voice-kit.pdf
	@$(PY) slides/build.py --pdf slides/build/voice-kit.pdf --repository "$(REPOSITORY)"

test: $(TEST) ## set up what the tests need, and run every one
	@bash .ci/debian
	@bash .ci/browser $(PY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check voice_kit tests notebooks
	$(BIN)/mypy
	$(PY) notebooks/build.py --check
	$(PY) -m pytest $(ARGS)

bench: $(TEST) ## measure: latency, memory, word error rates; pipecat and livekit beside us
	$(BIN)/voice-kit bench $(ARGS)
	$(PY) -m voice_kit.workshop.wer
	$(PY) -m voice_kit.workshop.peers.run $(PEERS)

soak: $(TEST) ## the long tests, at full length
	SOAK=whole $(PY) -m pytest -m soak --timeout=7200 $(ARGS)

wheels: .venv/.made ## fetch everything into .wheels, for a room without a network
	$(call pip,wheel --wheel-dir .wheels $(TOOLS) '.[workshop]',every package into .wheels)
	@echo "From now on installs here read .wheels and no network. Copy it beside other checkouts."

constraints: $(TEST) ## pin anew, for every platform at once (for maintainers)
	$(PY) -m pip install -q uv
	$(PY) -m uv pip compile -q --universal --python-version 3.11 --fork-strategy fewest \
	  --all-extras --upgrade --no-annotate --custom-compile-command "make constraints" \
	  -o constraints.txt pyproject.toml

audit: .venv/.made ## ask whether a pinned version has a known weakness
	$(PY) -m pip install -q pip-audit
	$(PY) -m pip_audit -r constraints.txt --no-deps --disable-pip

clean: ## remove .venv and everything that was built
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis voice-kit-demo \
	  slides/build slides/node_modules

# How things are installed.

TOOLS := hatchling editables setuptools
PAUSE := 5
OFFLINE := $(if $(wildcard .wheels),--no-index --find-links .wheels)

# $(call pip,arguments,what it is in words): up to three tries, for a room's shared network.
define pip
	@echo "Fetching $(2)."; \
	quiet=; [ -t 1 ] || quiet=-qq; \
	for try in 1 2 3; do \
	  $(PY) -m pip --disable-pip-version-check $(firstword $(1)) $$quiet -c constraints.txt \
	    $(OFFLINE) $(wordlist 2,99,$(1)) && exit 0; \
	  [ $$try = 3 ] || { echo "That failed (try $$try of 3). Once more in $(PAUSE) s."; sleep $(PAUSE); }; \
	done; \
	echo "It could not be installed: the reason is above. Check the network, then run make again."; \
	exit 1
endef

# $(call room,gigabytes): stops where a first install would fill the disk, here or for what is under
# way. A later one needs next to nothing.
define room
	@for place in . "$${TMPDIR:-/tmp}"; do \
	  free=$$(df -Pk "$$place" 2>/dev/null | awk 'NR == 2 { print $$4 }'); \
	  need=$(1); [ "$$place" = . ] || need=1; \
	  if [ ! -e $@ ] && [ "$${free:-999999999}" -lt $$((need * 1000000)) ]; then \
	    echo "This needs about $$need GB of disk in $$(cd "$$place" && pwd), where $$((free / 1000)) MB are free. Free some, or $$([ "$$place" = . ] && echo "copy this folder to another disk and run make there" || echo "let TMPDIR name a folder on another disk")." >&2; \
	    exit 1; \
	  fi; \
	done
endef

# The build tools come first, so that later installs need no build environment of their own: with
# everything in place, even a changed pyproject.toml is then installed without a network.
define install
	$(call room,$(3))
	$(call pip,install $(TOOLS),the build tools)
	$(call pip,install --no-build-isolation -e '$(1)',$(2))
endef

$(CORE): $(DECIDES)
	$(call install,.,the core: about a minute,1)
	@touch $(CORE)

$(WORKSHOP): $(DECIDES)
	$(call install,.[workshop],the workshop: two to four minutes,3)
	@touch $(CORE) $(WORKSHOP)

$(TEST): $(DECIDES)
	$(call install,.[$(EXTRAS)],everything that the tests need: three to five minutes,6)
	@touch $(CORE) $(WORKSHOP) $(TEST)

$(SLIDES): $(CORE)
	$(call pip,install segno,what draws the QR code)
	@touch $(SLIDES)

$(PRINT): $(CORE)
	$(call pip,install playwright,what drives Chromium)
	@touch $(PRINT)

$(REVEAL): slides/package-lock.json
	@command -v npm >/dev/null || { \
	  echo "The slides need npm, which fetches reveal.js. Install Node.js 18 or later (nodejs.org has it; on Debian and Ubuntu: sudo apt install npm), then run make again." >&2; \
	  exit 1; \
	}
	@echo "Fetching reveal.js."
	@cd slides && npm ci --silent || { \
	  echo "reveal.js could not be fetched: check the network, then run make again." >&2; exit 1; \
	}
	@touch $(REVEAL)

# .made says for which Python and which folder this .venv is: when Python was upgraded or the
# folder moved, its programs no longer start, and it is made anew.
VERSION := import sys; print("%d.%d" % sys.version_info[:2])
COMMA := ,
FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
PIP := import sys, pip; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (21, 3))
MADE := $(shell cat .venv/.made 2>/dev/null)
HAVE := $(shell $(PY) -c '$(VERSION)' 2>/dev/null)
WANT := $(if $(PYTHON),$(shell $(PYTHON) -c '$(VERSION)' 2>/dev/null),$(HAVE))
ifneq ($(MADE)|$(WANT),$(HAVE) $(CURDIR)|$(HAVE))
.venv/.made: FORCE
endif

.venv/.made:
	@if [ ! -w . ]; then \
	  echo "Nothing can be written in this folder, and .venv has to be made in it. Copy the folder to where you may write, and run make there." >&2; \
	  exit 1; \
	fi
	$(call room,1)
	@if [ ! -e .venv/.made ] && [ "$(WANT)" = "$(HAVE)" ] && $(PY) -c '$(FITS)' 2>/dev/null; then \
	  echo "Using the .venv that is here."; \
	  $(PY) -c '$(PIP)' 2>/dev/null || $(PY) -m ensurepip --upgrade; \
	else \
	  python=; \
	  for candidate in $(if $(PYTHON),"$(PYTHON)",python3.11 python3.12 python3 python "py -3.11" "py -3.12"); do \
	    if $$candidate -c '$(FITS)' >/dev/null 2>&1; then python="$$candidate"; break; fi; \
	  done; \
	  if [ -z "$$python" ]; then \
	    have=$$($(or $(PYTHON),python3) --version 2>/dev/null); case "$$have" in Python*) ;; *) have= ;; esac; \
	    echo "voice-kit needs Python 3.11 or 3.12 with its venv module, but $(if $(PYTHON),$(PYTHON) is not that$${have:+ but $$have},none is on the PATH$${have:+$(COMMA) only $$have}). Install it (python.org has it; on Debian and Ubuntu: sudo apt install python3 python3-venv) or say where it is: make PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	  fi; \
	  echo "Making .venv with $$($$python --version)."; \
	  rm -rf .venv && $$python -m venv .venv || exit 1; \
	fi; \
	echo "$$($(PY) -c '$(VERSION)' | tr -d '\r') $(CURDIR)" > .venv/.made
