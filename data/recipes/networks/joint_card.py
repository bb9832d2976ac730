"""Measure the joint image-text model and write its card, data/weights/joint.md.

    python data/recipes/networks/joint_card.py
"""

import sys
from pathlib import Path

import torch

from lecturekit.pictures import captions, datasets
from lecturekit.networks import joint, models

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

import publishing
from networks.joint import CUT, RECIPE
from networks.rounds import told

GALLERY = 200
LIMITS = ("One sentence pattern and its parts, tabletop objects only. Ascending a similarity in the pixels reaches "
          "0.98 within 200 steps and draws hints of colour in a texture, not the object.")


def share(marks):
    return marks.float().mean().item()


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
    return [share((matrix > right[:, None]).sum(1) < k) for matrix in (similarity, similarity.T)]


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
        'category, "a mug", tabletop test': (share(guesses.argmax(1) == test.labels), 0.1),
        'colour of a known category, "a red mug", tabletop test': (colours(model, test), 1 / len(captions.COLOURS)),
        "category, two_objects: the likeliest is there": (share(truth.gather(1, both.argmax(1)[:, None])), 0.2),
        "category, two_objects: the two likeliest are those": (
            share(truth.gather(1, both.topk(2).indices).sum(1) == 2), 1 / 45),
    }


def colours(model, data):
    """The share of pictures whose likeliest "a COLOUR CATEGORY", of their own category, has their colour."""
    right = []
    for label, category in enumerate(models.TABLETOP):
        some = data[(data.labels == label).numpy()]
        texts = prompts(captions.COLOURS, f"{{}} {{}} {category}")
        likeliest = joint.similarities(model, some.images, texts).argmax(1)
        right += [captions.COLOURS[i] == sample["object_colour_name"] for i, sample in zip(likeliest, some.samples)]
    return share(torch.tensor(right))


def figures(model):
    """Two tables, and what each leaves to say."""
    found = retrieval(model, "test") | retrieval(model, "two_objects")
    shares = [[what, *(f"{value:.1%}" for value in values)] for what, values in (found | zero_shot(model)).items()]
    head = ["retrieval (weights as stored, float32 arithmetic)", "image to text", "text to image", "chance"]
    return [publishing.table(head, shares[:len(found)]),
            "Of pictures with the same caption the first one is taken, so that each has one right answer.",
            publishing.table(["zero-shot", "right", "chance"], shares[len(found):]),
            "No object of either split was seen in training, and no rendered picture of two."]


if __name__ == "__main__":
    publishing.parser(__doc__).parse_args()
    model = joint.load()
    about = publishing.described(joint.Joint, "networks/joint", model) + f" They stand beside those of `{joint.BODY}`."
    notes = {"Input": "128x128 RGB in [0,1]; sentences, or parts of them, of `lecturekit.pictures.captions.VOCABULARY`."
                      " **Output** unit vectors.",
             **told(RECIPE, "joint", more=f"; {CUT:.0%} of the captions cut down"), "Limits": LIMITS}
    publishing.write_card("joint", about, figures(model), notes, __file__)
