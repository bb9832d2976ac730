"""Measure the captioner and write its card, data/weights/captioner.md.

    python data/recipes/networks/captioner_card.py
"""

import sys
from collections import Counter
from pathlib import Path
from statistics import fmean

from lecturekit.pictures import captions, datasets
from lecturekit.networks import captioner

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import publishing
from networks.captioner import RECIPE
from networks.rounds import told

SPLITS = {"test": "tabletop test, 1,000 of one object", "two_objects": "two_objects, 200 of two"}
MEANING = """"caption": the whole sentence; "category", "colour" and "floor": a word, at its place among those of its
kind; "exact categories": those that are there and no other, so that an object too many counts as wrong. No object
of either split was seen in training, and no rendered picture of two."""
LIMITS = ("One sentence pattern, one or two tabletop objects side by side; of anything else it says the same kind of "
          "sentence.")


def right(truth, said):
    """{kind: [whether the n-th word of that kind is right]} of a caption, against the true one."""
    both = {kind: (captions.of_kind(truth, kind), captions.of_kind(said, kind)) for kind in captions.KINDS}
    return {kind: [spoken[i:i + 1] == [word] for i, word in enumerate(true)] for kind, (true, spoken) in both.items()}


def measure(model, split):
    """Shares of right captions and words on a split, and the words confused, the most often first."""
    data = datasets.tabletop(split)
    pairs = list(zip(map(captions.caption, data.samples), captioner.describe(model, data.images)))
    marks = [right(*pair) for pair in pairs]
    figures = {"caption": fmean(truth == said for truth, said in pairs)}
    for kind in captions.KINDS:
        figures[kind] = fmean(mark for each in marks for mark in each[kind])
    figures["exact categories"] = fmean(captions.of_kind(truth, "category") == captions.of_kind(said, "category")
                                        for truth, said in pairs)
    return figures, confusions(pairs)


def confusions(pairs):
    """The words most often taken for another, over the captions of equal length, in words."""
    both = [(captions.words(truth), captions.words(said)) for truth, said in pairs]
    kinds = Counter((a, b) for truth, said in both if len(truth) == len(said) for a, b in zip(truth, said)
                    if a != b and a not in ("a", "an"))
    return "; ".join(f"{a} taken for {b} ({n})" for (a, b), n in kinds.most_common(6))


def notes(one, two):
    return {
        "Taken for another": f"One object: {one}. Two objects: {two}.",
        "Input": f"128x128 RGB in [0,1], and the words so far. **Output** logits of the next word over the "
                 f"{len(captions.VOCABULARY)} words of `lecturekit.pictures.captions.VOCABULARY`.",
        **told(RECIPE, "captioner", "training loss of a word"), "Limits": LIMITS}


if __name__ == "__main__":
    publishing.parser(__doc__).parse_args()
    model = captioner.load()
    (single, one), (double, two) = (measure(model, split) for split in SPLITS)
    rows = [[what, f"{single[what]:.1%}", f"{double[what]:.1%}"] for what in single]
    figures = publishing.table(["right (weights as stored, float32 arithmetic)", *SPLITS.values()], rows)
    about = publishing.described(captioner.Captioner, "networks/captioner", model)
    publishing.write_card("captioner", f"{about} They stand beside those of `{captioner.BODY}`; captions are greedy.",
                          [figures, MEANING], notes(one, two), __file__)
