"""The gallery: pictures that take minutes, drawn once by data/recipes/gallery.py with the lessons' own calls."""

import base64
import io
import json

from IPython.display import display
from PIL import Image

from lecturekit import files, validate

INDEX, WIDTH, QUALITY = "index.json", 840, 74


def folder():
    return files.root() / "gallery"


def index():
    """{name: {"shows": what is to be seen, "program": its function, "seconds": how long it took}} of what is drawn."""
    path = folder() / INDEX
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def show(name):
    """Show a stored picture as wide as a page, with its text, and print the command that draws it and its seconds."""
    entries = index()
    entry = entries[validate.one_of("name", name, entries)]
    picture, stored = Image.open(folder() / f"{name}.jpg"), io.BytesIO()
    picture.thumbnail((WIDTH, picture.height))
    picture.save(stored, "JPEG", quality=QUALITY, optimize=True)
    display({"image/jpeg": base64.b64encode(stored.getvalue()).decode(), "text/plain": entry["shows"]},
            metadata={"image/jpeg": {"alt": entry["shows"]}}, raw=True)
    print(f"python data/recipes/gallery.py {name}: {entry['seconds']} s")
