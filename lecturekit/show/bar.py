"""The bar of long work: in a notebook and on a terminal, never in stored runs or where nobody watches."""

import os
import sys

from IPython import get_ipython
from tqdm.auto import tqdm

PATIENCE = 2   # seconds before a bar appears


def watched():
    """Whether somebody may be watching: a notebook or a terminal, and LECTUREKIT_QUIET is not set."""
    return not os.environ.get("LECTUREKIT_QUIET") and (hasattr(get_ipython(), "kernel") or sys.stderr.isatty())


def bar(items, quiet=False, **settings):
    """`items`, with a bar while they are worked through, gone when they are done; `settings` go to tqdm."""
    return tqdm(items, disable=quiet or not watched(), leave=False, delay=PATIENCE, **settings)
