"""Train the joint image-text model on tabletop's captions: data/weights/joint.safetensors and its log; joint_card.py
measures it.

The image network is frozen, so a round computes its maps once, of new pictures (single objects, and pairs put together
from them), and trains on them for some epochs, on the contrastive loss of Radford et al. 2021. Half of the sentences
are cut down ("a mug", "a red mug", "a lemon on a wooden floor"). A sentence that is also true of another picture of the
batch does not count as wrong there. Interrupted at any moment, training resumes from the last finished round.

    python data/recipes/networks/joint.py
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

from lecturekit.pictures import captions, datasets
from lecturekit.networks import joint
from lecturekit.networks.models import TABLETOP

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

from networks.train import ROOT, publish, save_atomically
from pictures.pairs import Pairs, views

ROUNDS, EPOCHS, PAIRS, VIEWS = 2, 12, 2000, 1   # epochs in a round; pairs in it, and views of every single object
RATE, WEIGHT_DECAY, BATCH, CLIP, SEED = 2e-3, 1e-2, 128, 5.0, 0
LARGEST_SCALE = math.log(50)
CUT = 0.5                                       # share of sentences that are cut down
FACTS = [*TABLETOP, *((colour, thing) for colour in captions.COLOURS for thing in TABLETOP), *captions.KINDS["floor"]]


def mean(values):
    values = list(values)
    return float(sum(values) / len(values))


def facts(words):
    """What a sentence says: each thing, with its colour where it has one, and the floor; a row of zeros and ones."""
    said = {word for word in words if word in captions.KINDS["floor"]}
    for before, word in zip(["", *words], words):
        if word in TABLETOP:
            said.add((before, word) if before in captions.COLOURS else word)
    return torch.tensor([float(fact in said) for fact in FACTS])


def truths(words):
    """What is true of the picture that a full sentence describes."""
    return (facts(words) + facts([word for word in words if word not in captions.COLOURS])).clamp(max=1)


def cut_down(words, generator):
    """A sentence without some of: its floor, its colours, one of its two things."""
    draw = torch.rand(3, generator=generator).tolist()
    on = words.index("on")
    things, floor = words[:on], words[on:]
    if "and" in things and draw[0] < 0.5:
        middle = things.index("and")
        things = things[:middle] if draw[0] < 0.25 else things[middle + 1:]
    if draw[1] < 0.5:
        things = ["a" if word == "an" else word for word in things if word not in captions.COLOURS]
    return things + floor * (draw[2] < 0.4)


@torch.no_grad()
def round_maps(model, pairs, number):
    """The body's maps, half precision, and the sentences of a round's pictures: singles, then pairs."""
    maps, sentences = [], []
    for images, said in pictures(pairs, torch.Generator().manual_seed(SEED + number)):
        with torch.autocast("cpu", torch.bfloat16):
            maps.append(model.body(images.contiguous(memory_format=torch.channels_last)).contiguous().half())
        sentences += said
    return torch.cat(maps), sentences


def pictures(pairs, generator, batch=100):
    """A round's pictures (N,3,H,W) and their captions, a batch at a time."""
    for rows in torch.arange(len(pairs.data)).repeat(VIEWS).split(batch):
        yield views(pairs.data, rows, generator), [captions.caption(pairs.data.samples[i]) for i in rows]
    for _ in range(PAIRS // batch):
        yield pairs.draw(batch, generator)


def contrastive(images, texts, true, scale):
    """The mean cross-entropy of the right text for each image and of the right image for each text (Radford et al.
    2021, fig. 3), unit vectors (N,D); where `true` (N,N), image by text, holds off the diagonal, none is compared."""
    right = torch.arange(len(images))
    elsewhere = true & ~torch.eye(len(images), dtype=torch.bool)
    logits = (scale * images @ texts.T).masked_fill(elsewhere, -math.inf)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def rate(progress):
    """The learning rate, from the share of the training that is done: warmed up, then a half cosine to zero."""
    return RATE * min(1.0, 20 * progress + 0.01) * (1 + math.cos(math.pi * progress)) / 2


def train_epoch(model, optimiser, maps, sentences, epoch):
    """One pass over the maps; returns the mean loss."""
    generator = torch.Generator().manual_seed(SEED + epoch)
    model.train().body.eval()
    order = torch.randperm(len(maps), generator=generator).split(BATCH)
    true, total = torch.stack([truths(captions.words(sentence)) for sentence in sentences]), 0.0
    for i, rows in enumerate(order):
        for group in optimiser.param_groups:
            group["lr"] = rate((epoch + i / len(order)) / (ROUNDS * EPOCHS))
        texts = [captions.words(sentences[row]) for row in rows]
        texts = [cut_down(words, generator) if torch.rand((), generator=generator) < CUT else words for words in texts]
        loss = loss_of(model, maps[rows].float(), texts, true[rows])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        total += loss.item()
    return total / len(order)


def loss_of(model, maps, texts, true):
    """The loss of maps (N,256,h,w) and their texts, lists of words; `true` (N,facts)."""
    said = torch.stack([facts(words) for words in texts])
    codes = model.encode_texts([" ".join(words) for words in texts])
    scale = model.log_scale.clamp(max=LARGEST_SCALE).exp()
    return contrastive(model.encode_maps(maps), codes, true @ said.T == said.sum(1), scale)


def prepare(checkpoint):
    """The model, its optimiser and the round to start with: from the checkpoint where there is one."""
    torch.manual_seed(SEED)
    model = joint.Joint()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], RATE, weight_decay=WEIGHT_DECAY)
    if not checkpoint.exists():
        return model, optimiser, 0
    state = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return model, optimiser, state["round"]


def fit(folder):
    """Train to the end of the recipe and write data/weights/joint.safetensors and its log."""
    checkpoint, log = folder / "joint.pt", folder / "joint.log"
    folder.mkdir(parents=True, exist_ok=True)
    model, optimiser, start = prepare(checkpoint)
    pairs = Pairs(datasets.tabletop("train"))
    for number in range(start, ROUNDS):
        torch.manual_seed(SEED + number)
        began = time.time()
        maps, sentences = round_maps(model, pairs, number)
        losses = [train_epoch(model, optimiser, maps, sentences, number * EPOCHS + i) for i in range(EPOCHS)]
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "round": number + 1}
        save_atomically(lambda path: torch.save(state, path), checkpoint)
        row = {"round": number + 1, "losses": [round(loss, 4) for loss in losses]}
        with open(log, "a") as file:
            file.write(json.dumps(row | {"seconds": round(time.time() - began)}) + "\n")
    publish(model, "joint", folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build/train", help="checkpoints and logs")
    fit(parser.parse_args().folder)
