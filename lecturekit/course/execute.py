"""Run a lesson from a clean kernel and store its outputs, as small and as repeatable as they can be."""

import base64
import io
import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

from lecturekit.course import lessons

SETTINGS = ("LECTUREKIT_MODEL", "LECTUREKIT_DATA")
LARGE = 8_000      # bytes above which a figure is stored smaller
DRAWING = 20_000   # colours up to which a figure is a drawing; with more it holds photos
RICH = 1.5         # times a JPEG's size above which even a drawing is stored as one


def build(numbers=None, to=None):
    """Run the lessons ("03", ...; all by default) and write each when it is complete, below `to` or, by default, anew
    where they lie; returns their paths.

    Raises ValueError where LECTUREKIT_MODEL names a network and the course's own outputs would be lost.
    """
    model, folder = os.environ.get("LECTUREKIT_MODEL"), Path(to or lessons.FOLDER).resolve()
    if model and folder == lessons.FOLDER:
        raise ValueError(f"LECTUREKIT_MODEL: got {model!r}. The outputs in {folder.name}/ are those of the bundled "
                         "networks: unset the variable, or write elsewhere with --to DIR.")
    return [lessons.write(folder / lessons.path(number).name,
                          nbformat.writes(execute(lessons.read(number), lessons.FOLDER, model)) + "\n")
            for number in lessons.chosen(numbers)]


def execute(notebook, folder, model=None, timeout=600):
    """Run a NotebookNode in place, in `folder`, on the network `model` or else on the bundled ones alone; raises
    CellExecutionError."""
    with tempfile.TemporaryDirectory() as empty:   # no weights that happen to be cached: outputs name them
        chosen = {"LECTUREKIT_MODEL": model} if model else {"TORCH_HOME": empty}
        client = NotebookClient(notebook, timeout=timeout, record_timing=False, store_widget_state=False,
                                resources={"metadata": {"path": str(folder)}})
        clean = {key: value for key, value in os.environ.items() if key not in SETTINGS}
        client.execute(env=clean | chosen | {"LECTUREKIT_QUIET": "1"})
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if lessons.WIDGET in output.get("data", {}):
                _still(output)
            elif "image/png" in output.get("data", {}):
                kept = smaller(output.data.pop("image/png"))
                output.metadata = {kind: output.metadata.get("image/png", {}) for kind in kept}
                output.data |= kept
    return notebook


def _still(output):
    """Leave of a widget, which nothing shows without its kernel, the picture that it began with; metadata tell of it."""
    if any(kind.startswith("image/") for kind in output.data):
        del output.data[lessons.WIDGET]
        output.metadata[lessons.WIDGET] = {}


def smaller(png):
    """{MIME type: base64} of a figure, given as a base64 PNG. Where it is large and gains by it, a drawing becomes a PNG
    of 256 colours, and what holds photos, or maps as rich as photos, a JPEG."""
    before = base64.b64decode(png)
    if len(before) <= LARGE:
        return {"image/png": png}
    picture = Image.open(io.BytesIO(before)).convert("RGB")
    kind, after = "image/jpeg", _saved(picture, "JPEG", quality=78, subsampling=2, optimize=True)
    if picture.getcolors(DRAWING):
        drawing = _saved(picture.quantize(256, Image.Quantize.MEDIANCUT), "PNG", optimize=True)
        if len(drawing) < RICH * len(after):
            kind, after = "image/png", drawing
    return {kind: base64.b64encode(after).decode()} if len(after) < len(before) else {"image/png": png}


def _saved(picture, form, **settings):
    stored = io.BytesIO()
    picture.save(stored, form, **settings)
    return stored.getvalue()
