# `make lab` opens the course, `make test` checks it. Everything is installed below .venv, nothing elsewhere.
PATH := .venv-uv/bin:$(PATH)
BIN := .venv/bin
INSTALL := uv pip install --python .venv --require-hashes --only-binary :all:
NETWORKS := resnet_s alexnet_s vgg_s resnet_s_robust
DECODERS := relu2 relu5 relu6 generator
RECIPES := data/recipes
LESSON ?= 03
RESULTS ?= build/grades
WORKERS ?= 2
IMAGENETTE ?= build/imagenette2-160
BROWSER := $(if $(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter Darwin,$(shell uname))),,--no-browser)
ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: lab test slow student slides grade site wheel lessons data train captioner joint evidence gallery bench lock
lab: .venv/lab.stamp
	$(BIN)/lecturekit doctor
	$(BIN)/lecturekit exercises
	$(BIN)/jupyter lab --notebook-dir=exercises $(BROWSER) $(ROOT)

test: .venv/test.stamp .venv/teach.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder   # the long files first

slow: .venv/test.stamp .venv/teach.stamp .venv/site.stamp   # what takes minutes more
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -n 2 -m slow

student slides: .venv/teach.stamp
	$(BIN)/lecturekit $@ --to build/$@ $(if $(PDF),--pdf)

grade: .venv/teach.stamp
	$(BIN)/lecturekit grade $(SUBMISSIONS) --lesson $(LESSON) --to $(RESULTS) --workers $(WORKERS)

evidence: .venv/lab.stamp
	$(BIN)/python $(RECIPES)/evidence

gallery: .venv/lab.stamp
	$(BIN)/python $(RECIPES)/gallery.py

site: .venv/site.stamp
	$(BIN)/python docs/site/build.py

wheel: .venv/lab.stamp
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheel .

bench: .venv/test.stamp   # torch-lucent apart: it would bring kornia and more into the tests' environment
	uv pip install --quiet --python .venv --target build/bench --no-deps --require-hashes -r requirements-bench.lock
	PYTHONPATH=build/bench $(BIN)/python bench/speed.py

lessons: .venv/lab.stamp
	$(BIN)/lecturekit execute

data: .venv/data.stamp
	$(BIN)/python $(RECIPES)/pictures/tabletop/render.py
	$(BIN)/python $(RECIPES)/pictures/style_pictures.py
	$(BIN)/python $(RECIPES)/checksums.py

# Each recipe resumes where it stopped, publishes what it has made with its checksum, and a card tells what that can do.
train: .venv/lab.stamp
	for name in $(NETWORKS); do $(BIN)/python $(RECIPES)/networks/train.py $$name --imagenette $(IMAGENETTE) || exit 1; done
	$(BIN)/python $(RECIPES)/networks/imagenet.py
	$(BIN)/python $(RECIPES)/networks/evaluate.py --imagenette $(IMAGENETTE)
	$(MAKE) captioner joint
	$(BIN)/python $(RECIPES)/moving/style.py --imagenette $(IMAGENETTE)
	$(BIN)/python $(RECIPES)/moving/style_card.py --imagenette $(IMAGENETTE)
	for name in $(DECODERS); do $(BIN)/python $(RECIPES)/networks/decoders.py $$name --imagenette $(IMAGENETTE) || exit 1; done
	$(BIN)/python $(RECIPES)/networks/decoders_card.py --imagenette $(IMAGENETTE)

captioner joint: .venv/lab.stamp
	$(BIN)/python $(RECIPES)/networks/$@.py
	$(BIN)/python $(RECIPES)/networks/$@_card.py

.venv/lab.stamp: requirements.lock pyproject.toml
	command -v uv || { python3 -m venv .venv-uv && .venv-uv/bin/pip install --quiet uv==0.13.8; }
	test -d .venv || uv venv --quiet .venv
	$(INSTALL) -r requirements.lock
	uv pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
	touch $@

.venv/%.stamp: requirements-%.lock .venv/lab.stamp   # grad-cam comes as source: the locked setuptools builds it
	$(INSTALL) --no-binary grad-cam --no-build-isolation -r requirements.lock -r $<
	touch $@

# After a change of pyproject.toml. The locks of the extras hold only what requirements.lock does not.
COMPILE = uv pip compile pyproject.toml --quiet --universal --fork-strategy fewest --generate-hashes --no-header \
	--no-annotate --only-binary :all: --no-binary grad-cam
lock:
	$(COMPILE) --output-file requirements.lock
	for extra in test teach site data; do $(COMPILE) --extra $$extra --constraint requirements.lock \
		$$(sed -n 's/^\([^ ]*\)==.*/--no-emit-package \1/p' requirements.lock) --output-file requirements-$$extra.lock; done
	{ sed '/- pip:/q' environment.yml; sed -n 's/^\([^ ]*==.*[^ ]\) *\\$$/        - \1/p' requirements.lock; \
		echo '        - -e .'; } > environment.tmp && mv environment.tmp environment.yml
