"""What a lesson shows: `plots` draws figures (the only module that knows matplotlib), `widgets` makes them move (the
only one that knows ipywidgets).

Numbers come in as computed, raw and signed; only here are they scaled and coloured.
"""

__all__ = ["plots", "widgets"]
