"""Sphinx's settings for the course's site: everything local, so that it opens from a disk with no network."""

import re

import lecturekit

project = "lecturekit"
author = copyright = "the lecturekit authors"
version = release = lecturekit.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]
language = "en"

nb_execution_mode = "off"          # the outputs are those that are stored
nb_ipywidgets_js = {}              # a page has no kernel: of a widget it shows the stored picture
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header", "myst.xref_missing", "mystnb.unknown_mime_type", "misc.highlighting_failure"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"

html_theme = "furo"
html_title = "lecturekit"
html_static_path = ["static"]
html_css_files = ["katex/katex.min.css", "site.css"]
html_js_files = ["site.js"]
mathjax_path = "katex/katex.min.js"   # KaTeX, which the decks have too, in MathJax's place
mathjax_options = {"defer": "defer"}
html_theme_options = {"navigation_with_keys": True}
html_show_sphinx = False
html_copy_source = False


def setup(app):
    app.connect("autodoc-process-docstring", plain)


def plain(app, what, name, obj, options, lines):
    """Our docstrings are plain text with `code`, not reStructuredText: what is lined up stays as it stands."""
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).strip())
    lines[:] = "\n\n".join(map(_literal_or_text, paragraphs)).splitlines()


def _literal_or_text(paragraph):
    if re.search(r"^\s|\S {2,}\S", paragraph, re.M):
        return ".. code-block:: text\n\n" + "\n".join(f"   {line}" for line in paragraph.splitlines())
    pieces = re.split(r"(`[^`\n]+`)", re.sub(r"\s*\n\s*", " ", paragraph))
    return "".join(f"`{piece}`" if piece.startswith("`") and len(piece) > 2 else re.sub(r"([\\*|_`])", r"\\\1", piece)
                   for piece in pieces)
