"""A wheel brings the data and the lessons along, inside the package, so that the course runs wherever it is installed."""

import shutil
import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
BROUGHT = ("data/README.md", "data/SHA256SUMS", "data/times.json", "data/evidence", "data/gallery", "data/styles",
           "data/tabletop", "data/weights", "notebooks")


class WithCourse(build_py):
    """Copies what BROUGHT names; in place (`pip install -e`) it all stands beside the package already."""

    def run(self):
        super().run()
        for name in [] if self.editable_mode else BROUGHT:
            for path in sorted((HERE / name).glob("[!.]*")) or [HERE / name]:
                target = Path(self.build_lib, "lecturekit", path.relative_to(HERE))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


with tempfile.TemporaryDirectory() as empty:   # not build/, where modules of an earlier build would come along
    setup(cmdclass={"build_py": WithCourse}, options={"build": {"build_base": empty}})
