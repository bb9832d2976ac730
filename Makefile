# `make lab` opens the course, `make test` checks it. Everything is installed below .venv, nothing elsewhere.
PATH := .venv-uv/bin:$(PATH)
BIN := .venv/bin
INSTALL := uv pip install --python .venv --require-hashes --only-binary :all:
NETWORKS := resnet_s alexnet_s vgg_s resnet_s_robust
LESSON ?= 03
RESULTS ?= build/grades
WORKERS ?= 2
IMAGENETTE ?= build/imagenette2-160
BROWSER := $(if $(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter Darwin,$(shell uname))),,--no-browser)
ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: lab test student slides grade lessons data train evidence gallery lock
lab: .venv/lab.stamp
	$(BIN)/python -m lecturekit doctor
	$(BIN)/jupyter lab --notebook-dir=notebooks $(BROWSER) $(ROOT)

test: .venv/test.stamp .venv/teach.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile

student slides: .venv/teach.stamp
	$(BIN)/python -m lecturekit $@ --to build/$@

grade: .venv/teach.stamp
	$(BIN)/python -m lecturekit grade $(SUBMISSIONS) --lesson $(LESSON) --to $(RESULTS) --workers $(WORKERS)

evidence: .venv/lab.stamp
	$(BIN)/python data/recipes/evidence

gallery: .venv/lab.stamp
	$(BIN)/python data/recipes/gallery.py

lessons: .venv/lab.stamp
	$(BIN)/python -m lecturekit execute

data: .venv/data.stamp
	$(BIN)/python data/recipes/pictures/tabletop/render.py
	$(BIN)/python data/recipes/pictures/style_pictures.py
	$(BIN)/python data/recipes/checksums.py

train: .venv/lab.stamp
	for name in $(NETWORKS); do $(BIN)/python data/recipes/networks/train.py $$name --imagenette $(IMAGENETTE) && \
		$(BIN)/python data/recipes/checksums.py || exit 1; done
	$(BIN)/python data/recipes/networks/imagenet.py && $(BIN)/python data/recipes/checksums.py
	$(BIN)/python data/recipes/networks/evaluate.py --imagenette $(IMAGENETTE)
	$(BIN)/python data/recipes/networks/captioner.py && $(BIN)/python data/recipes/checksums.py && \
		$(BIN)/python data/recipes/networks/captioner.py --measure
	$(BIN)/python data/recipes/networks/joint.py && $(BIN)/python data/recipes/checksums.py && $(BIN)/python data/recipes/networks/joint_card.py
	$(BIN)/python data/recipes/moving/style.py --imagenette $(IMAGENETTE) && $(BIN)/python data/recipes/checksums.py && \
		$(BIN)/python data/recipes/moving/style_card.py --imagenette $(IMAGENETTE)
	for name in relu2 relu5 relu6 generator; do $(BIN)/python data/recipes/networks/decoders.py $$name --imagenette $(IMAGENETTE) && \
		$(BIN)/python data/recipes/checksums.py || exit 1; done
	$(BIN)/python data/recipes/networks/decoders_card.py --imagenette $(IMAGENETTE)

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
	for extra in test teach data; do $(COMPILE) --extra $$extra --constraint requirements.lock \
		$$(sed -n 's/^\([^ ]*\)==.*/--no-emit-package \1/p' requirements.lock) --output-file requirements-$$extra.lock; done
	{ sed '/- pip:/q' environment.yml; sed -n 's/^\([^ ]*==.*[^ ]\) *\\$$/        - \1/p' requirements.lock; \
		echo '        - -e .'; } > environment.tmp && mv environment.tmp environment.yml
