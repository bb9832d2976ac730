"""nbgrader's formgrader without the network: the course's own KaTeX draws the formulas, as MathML, which browsers know.

A course folder gets an nbgrader_config.py that calls `configure`; one that is there already is left as it is.
"""

from pathlib import Path

from lecturekit.course import lessons

TEMPLATES = Path(__file__).resolve().parent / "templates" / "formgrader"
CONFIG = '''"""Written by `python -m lecturekit grade`: formgrader loads nothing from the network."""

from lecturekit.course.grading import formgrader

formgrader.configure(get_config())
'''


def configure(config):
    """Let nbconvert take our template for formulas before its own, which loads MathJax from the network."""
    from nbgrader.server_extensions.formgrader import handlers
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [str(TEMPLATES), handlers.template_path]
    config.HTMLExporter.filters = {"course_katex": katex}


def katex(_):
    """The source of KaTeX, as it stands in a page."""
    from lecturekit.course import slides   # brings nbgrader, which takes seconds to import
    return (slides.ASSETS / "katex" / "katex.min.js").read_text(encoding="utf-8").replace("</", "<\\/")


def write_config(course):
    path = Path(course) / "nbgrader_config.py"
    if not path.exists():
        lessons.write(path, CONFIG)
