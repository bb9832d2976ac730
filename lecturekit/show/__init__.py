"""What a lesson shows: `plots` draws figures on the sheet of `figure` (only these two know matplotlib), `widgets` makes
them move (it alone knows ipywidgets), `evidence` and `gallery` keep the numbers and the pictures that took minutes,
`bar` shows that work goes on.

Numbers come in as computed, raw and signed; only here are they scaled and coloured.
"""

__all__ = ["bar", "evidence", "figure", "gallery", "plots", "widgets"]
