"""What a lesson shows: `plots` draws figures on the sheet of `figure` (only these two know matplotlib), `widgets` makes
them move (it alone knows ipywidgets), `evidence` keeps what took minutes to find out, `bar` shows that work goes on.

Numbers come in as computed, raw and signed; only here are they scaled and coloured.
"""

__all__ = ["bar", "evidence", "figure", "plots", "widgets"]
