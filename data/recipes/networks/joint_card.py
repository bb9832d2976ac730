"""Measure the joint image-text model and write its card, data/weights/joint.md.

    python data/recipes/networks/joint_card.py

data/SHA256SUMS must be current.
"""

import json
import sys

from pathlib import Path

import torch

from lecturekit import files
from lecturekit.pictures import captions, datasets
from lecturekit.networks import joint, models

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

from networks.joint import BATCH, CLIP, CUT, EPOCHS, PAIRS, RATE, ROUNDS, SEED, VIEWS, WEIGHT_DECAY, mean
from networks.train import ROOT, save_atomically

GALLERY = 200
LIMITS = """One sentence pattern and its parts, tabletop objects only. Ascending a similarity in the pixels reaches
  0.98 within 200 steps and draws hints of colour in a texture, not the object."""


def distinct(data, count=GALLERY):
    """The first pictures of a Tabletop that have a caption of their own, and these captions."""
    first = {}
    for i, sample in enumerate(data.samples):
        first.setdefault(captions.caption(sample), i)
    rows = list(first.values())[:count]
    return data[rows], list(first)[:count]


def recall(similarity, k):
    """Shares of rows, and of columns, of a square matrix (N,N) whose diagonal value is among their k largest."""
    right = similarity.diag()
    return [mean((matrix > right[:, None]).sum(1) < k) for matrix in (similarity, similarity.T)]


def retrieval(model, split):
    """{what: (image to text, text to image, chance)} among pictures with captions of their own."""
    data, texts = distinct(datasets.tabletop(split))
    similarity = joint.similarities(model, data.images, texts)
    return {f"{split}, {len(texts)}: recall@{k}": (*recall(similarity, k), k / len(texts)) for k in (1, 5)}


def prompts(words, pattern):
    return [pattern.format("an" if word == "orange" else "a", word) for word in words]


def zero_shot(model):
    """{what: (share right, chance)}."""
    test, pairs = datasets.tabletop("test"), datasets.tabletop("two_objects")
    classifier = joint.zero_shot(model, prompts(models.TABLETOP, "{} {}"))
    guesses, both = (models.predict(classifier, data.images) for data in (test, pairs))
    truth = torch.zeros_like(both).scatter(1, pairs.labels, 1.0)
    return {
        'category, "a mug", tabletop test': (mean(guesses.argmax(1) == test.labels), 0.1),
        'colour of a known category, "a red mug", tabletop test': (colours(model, test), 1 / len(captions.COLOURS)),
        "category, two_objects: the likeliest is there": (mean(truth.gather(1, both.argmax(1)[:, None])), 0.2),
        "category, two_objects: the two likeliest are those": (
            mean(truth.gather(1, both.topk(2).indices).sum(1) == 2), 1 / 45),
    }


def colours(model, data):
    """The share of pictures whose likeliest "a COLOUR CATEGORY", of their own category, has their colour."""
    right = []
    for label, category in enumerate(models.TABLETOP):
        some = data[(data.labels == label).numpy()]
        texts = prompts(captions.COLOURS, f"{{}} {{}} {category}")
        likeliest = joint.similarities(model, some.images, texts).argmax(1)
        right += [captions.COLOURS[i] == sample["object_colour_name"] for i, sample in zip(likeliest, some.samples)]
    return mean(right)


def card(model):
    """The card as Markdown: architecture, figures, data, recipe, limits, sha256."""
    path = ROOT / "data/weights/joint.safetensors"
    found = retrieval(model, "test") | retrieval(model, "two_objects")
    rows = "\n".join(f"| {what} | {a:.1%} | {b:.1%} | {chance:.1%} |" for what, (a, b, chance) in found.items())
    guessed = "\n".join(f"| {what} | {share:.1%} | {chance:.1%} |"
                        for what, (share, chance) in zero_shot(model).items())
    last = json.loads(path.with_suffix(".log").read_text().splitlines()[-1])["losses"][-1]
    count = sum(value.numel() for value in models.stored(model).values())
    return f"""# joint

{joint.Joint.__doc__.strip().replace("    ", "")} Definition: `lecturekit/networks/joint.py`.
{count:,} stored numbers, half precision, beside those of `{joint.BODY}`.

| retrieval (weights as stored, float32 arithmetic) | image to text | text to image | chance |
|---|---|---|---|
{rows}

Of pictures with the same caption the first one is taken, so that each has one right answer.

| zero-shot | right | chance |
|---|---|---|
{guessed}

No object of either split was seen in training, and no rendered picture of two.

- **Input** 128x128 RGB in [0,1]; sentences, or parts of them, of `lecturekit.pictures.captions.VOCABULARY`. **Output** unit
  vectors.
- **Data** tabletop's training pictures (3,000), {VIEWS} new view(s) of each in every round (mirrored, moved, scaled),
  and {PAIRS:,} pairs of two categories a round, put together from them by `data/recipes/pictures/pairs.py`; {CUT:.0%} of the
  captions cut down.
- **Recipe** `data/recipes/networks/joint.py`, seed {SEED}, {ROUNDS} rounds of {EPOCHS} epochs; AdamW, rate {RATE},
  weight decay {WEIGHT_DECAY}, batches of {BATCH}, gradients clipped at {CLIP:g}; last training loss {last:.3f}
  (`joint.log`).
- **Limits** {LIMITS}
- **sha256** `{files.sha256(path)}`

Written by `data/recipes/networks/joint_card.py`.
"""


if __name__ == "__main__":
    text = card(joint.load())
    save_atomically(lambda path: path.write_text(text), ROOT / "data/weights/joint.md")
