"""The gallery: pictures that take minutes, drawn once by data/recipes/gallery.py with the lessons' own calls."""

import base64
import io
import json

from IPython.display import display
from PIL import Image

from lecturekit import files, validate

FOLDER, WIDTH, QUALITY = "gallery", 900, 74


def index():
    """{name: {"shows": what is to be seen, "program": its function, "seconds": how long it took}}."""
    return json.loads((files.root() / FOLDER / "index.json").read_text(encoding="utf-8"))


def show(name):
    """Show a stored picture as wide as a page, with its text, and print the command that draws it and its seconds."""
    entries = index()
    entry = entries[validate.one_of("name", name, entries)]
    picture, stored = Image.open(files.root() / FOLDER / f"{name}.jpg"), io.BytesIO()
    picture.thumbnail((WIDTH, picture.height))
    picture.save(stored, "JPEG", quality=QUALITY, optimize=True)
    display({"image/jpeg": base64.b64encode(stored.getvalue()).decode(), "text/plain": entry["shows"]},
            metadata={"image/jpeg": {"alt": entry["shows"]}}, raw=True)
    print(f"python data/recipes/gallery.py {name}: {entry['seconds']} s")
