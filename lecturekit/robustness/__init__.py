"""How little must change before the answer does, and can a network be trained so that nobody fools it? (Lessons 9, 10.)

Attacks: `attacks` (a step and a projection), `blackbox`, `classical` models, `fooling` images, `physical` and `sound`.
Defences: `robust_training`, `defences` and `defence_zoo`, `smoothing` and `intervals` with their certificates. `standing`
counts who still stands, `corruptions` does the damage that nobody intended.
"""

__all__ = ["attacks", "blackbox", "classical", "corruptions", "defence_zoo", "defences", "fooling", "intervals",
           "physical", "robust_training", "smoothing", "sound", "standing"]
