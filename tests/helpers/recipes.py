"""Import the programs of data/recipes, whose folders are named like the wings and like some of the helpers here."""

import importlib
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "data/recipes"


def recipe(name):
    """The module data/recipes/NAME.py ("networks/imagenet"); the modules and the path are left as they were."""
    tops = {path.stem for path in FOLDER.iterdir()}
    path = sys.path[:]
    hidden = {key: sys.modules.pop(key) for key in list(sys.modules) if key.partition(".")[0] in tops}
    try:
        sys.path[:] = [str(FOLDER), *(entry for entry in path if Path(entry) != Path(__file__).parent)]
        return importlib.import_module(name.replace("/", "."))
    finally:
        sys.path[:] = path
        for key in [key for key in sys.modules if key.partition(".")[0] in tops]:
            del sys.modules[key]
        sys.modules.update(hidden)
