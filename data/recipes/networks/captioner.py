"""Train the captioner on tabletop's training pictures and on pairs put together from them, measure it, write its card.

The image network is frozen, so a round computes its maps once, of new pictures, and trains on them for some epochs.
Interrupted at any moment, training resumes from the last finished round.

    python data/recipes/networks/captioner.py [--measure]
"""

import argparse
import json
import math
import sys
import time
from collections import Counter
from pathlib import Path

import torch
from torch.nn import functional as F

from lecturekit import files
from lecturekit.pictures import captions, datasets
from lecturekit.networks import captioner, models

sys.path.append(str(Path(__file__).resolve().parents[1]))   # the folders of recipes/

from networks.train import ROOT, publish, save_atomically
from pictures.pairs import Pairs, views

ROUNDS, EPOCHS, PAIRS = 3, 5, 4000   # epochs in a round; pairs in it, beside a view of every single object
RATE, WEIGHT_DECAY, BATCH, CLIP, SEED = 2e-3, 1e-4, 64, 5.0, 0
PADDING = -1
WEIGHTS = ROOT / "data/weights"


@torch.no_grad()
def round_maps(model, pairs, number):
    """The body's maps, half precision, and the words (N,T), padded, of a round's pictures: singles, then pairs."""
    maps, sentences = [], []
    for images, said in pictures(pairs, torch.Generator().manual_seed(SEED + number)):
        with torch.autocast("cpu", torch.bfloat16):
            maps.append(model.body(images.contiguous(memory_format=torch.channels_last)).contiguous().half())
        sentences += said
    return torch.cat(maps), padded(sentences)


def pictures(pairs, generator, batch=250):
    """A round's pictures (N,3,H,W) and their captions, a batch at a time."""
    for rows in torch.arange(len(pairs.data)).split(batch):
        yield views(pairs.data, rows, generator), [captions.caption(pairs.data.samples[i]) for i in rows]
    for _ in range(PAIRS // batch):
        yield pairs.draw(batch, generator)


def padded(sentences):
    """The indices (N,T) of sentences between their full stops, PADDING behind them."""
    rows = [torch.tensor([*captions.encode(sentence), 0]) for sentence in sentences]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PADDING)


def rate(progress):
    """The learning rate, from the share of the training that is done: warmed up, then a half cosine to zero."""
    return RATE * min(1.0, 20 * progress + 0.01) * (1 + math.cos(math.pi * progress)) / 2


def train_epoch(model, optimiser, maps, words, epoch):
    """One pass over the maps; returns the mean loss of a word."""
    model.train().body.eval()
    order = torch.randperm(len(maps), generator=torch.Generator().manual_seed(SEED + epoch)).split(BATCH)
    total = 0.0
    for i, rows in enumerate(order):
        for group in optimiser.param_groups:
            group["lr"] = rate((epoch + i / len(order)) / (ROUNDS * EPOCHS))
        logits = model.speak(maps[rows].float(), words[rows, :-1].clamp(min=0))
        loss = F.cross_entropy(logits.flatten(0, 1), words[rows, 1:].flatten(), ignore_index=PADDING)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        total += loss.item()
    return total / len(order)


def prepare(checkpoint):
    """The model, its optimiser and the round to start with: from the checkpoint where there is one."""
    torch.manual_seed(SEED)
    model = captioner.Captioner()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], RATE, weight_decay=WEIGHT_DECAY)
    if not checkpoint.exists():
        return model, optimiser, 0
    state = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return model, optimiser, state["round"]


def fit(folder):
    """Train to the end of the recipe and write data/weights/captioner.safetensors and its log."""
    checkpoint, log = folder / "captioner.pt", folder / "captioner.log"
    folder.mkdir(parents=True, exist_ok=True)
    model, optimiser, start = prepare(checkpoint)
    pairs = Pairs(datasets.tabletop("train"))
    for number in range(start, ROUNDS):
        torch.manual_seed(SEED + number)
        began = time.time()
        maps, words = round_maps(model, pairs, number)
        losses = [train_epoch(model, optimiser, maps, words, number * EPOCHS + i) for i in range(EPOCHS)]
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "round": number + 1}
        save_atomically(lambda path: torch.save(state, path), checkpoint)
        row = {"round": number + 1, "losses": [round(loss, 4) for loss in losses]}
        with open(log, "a") as file:
            file.write(json.dumps(row | {"seconds": round(time.time() - began)}) + "\n")
    publish(model, "captioner", folder)


def right(truth, said):
    """{kind: [whether the n-th word of that kind is right]} of a caption, against the true one."""
    both = {kind: (captions.of_kind(truth, kind), captions.of_kind(said, kind)) for kind in captions.KINDS}
    return {kind: [spoken[i:i + 1] == [word] for i, word in enumerate(true)] for kind, (true, spoken) in both.items()}


def measure(model, split):
    """Shares of right captions and words on a split, and the words confused, the most often first."""
    data = datasets.tabletop(split)
    pairs = list(zip(map(captions.caption, data.samples), captioner.describe(model, data.images)))
    marks = [right(*pair) for pair in pairs]
    figures = {"caption": mean(truth == said for truth, said in pairs)}
    for kind in captions.KINDS:
        figures[kind] = mean(mark for each in marks for mark in each[kind])
    figures["exact categories"] = mean(captions.of_kind(truth, "category") == captions.of_kind(said, "category")
                                       for truth, said in pairs)
    return figures, confusions(pairs)


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def confusions(pairs):
    """[((true, said), times)] over the captions of equal length."""
    both = [(captions.words(truth), captions.words(said)) for truth, said in pairs]
    kinds = Counter((a, b) for truth, said in both if len(truth) == len(said) for a, b in zip(truth, said)
                    if a != b and a not in ("a", "an"))
    return kinds.most_common(6)


def card(model):
    """The card as Markdown: architecture, data, recipe, figures, confusions, limits, sha256."""
    path = WEIGHTS / "captioner.safetensors"
    (single, one), (double, two) = measure(model, "test"), measure(model, "two_objects")
    rows = "\n".join(f"| {what} | {single[what]:.1%} | {double[what]:.1%} |" for what in single)
    mistakes = ["; ".join(f"{a} taken for {b} ({n})" for (a, b), n in found) for found in (one, two)]
    last = json.loads(path.with_suffix(".log").read_text().splitlines()[-1])["losses"][-1]
    count = sum(value.numel() for value in models.stored(model).values())
    return f"""# captioner

{captioner.Captioner.__doc__.strip().replace("    ", "")} Definition: `lecturekit/networks/captioner.py`.
{count:,} stored numbers, half precision, beside those of `{captioner.BODY}`; greedy captions.

| right (weights as stored, float32 arithmetic) | tabletop test, 1,000 of one object | two_objects, 200 of two |
|---|---|---|
{rows}

"caption": the whole sentence; "category", "colour" and "floor": a word, at its place among those of its kind;
"exact categories": those that are there and no other, so that an object too many counts as wrong. No object of either
split was seen in training, and no rendered picture of two.

- **Taken for another**, one object: {mistakes[0]}.
- **Taken for another**, two objects: {mistakes[1]}.
- **Input** 128x128 RGB in [0,1], and the words so far. **Output** logits of the next word over the
  {len(captions.VOCABULARY)} words of `lecturekit.pictures.captions.VOCABULARY`.
- **Data** tabletop's training pictures (3,000), a new view of each in every round (mirrored, moved, scaled), and
  {PAIRS:,} pairs a round, put together from them by `data/recipes/pictures/pairs.py`.
- **Recipe** `data/recipes/networks/captioner.py`, seed {SEED}, {ROUNDS} rounds of {EPOCHS} epochs; AdamW, rate {RATE},
  weight decay {WEIGHT_DECAY}, batches of {BATCH}, gradients clipped at {CLIP:g}; last training loss of a word
  {last:.3f} (`captioner.log`).
- **Limits** One sentence pattern, one or two tabletop objects side by side; of anything else it says the same kind of
  sentence.
- **sha256** `{files.sha256(path)}`

Written by `data/recipes/networks/captioner.py`.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="write the card only; data/SHA256SUMS must be current")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/train", help="checkpoints and logs")
    arguments = parser.parse_args()
    if not arguments.measure:
        return fit(arguments.folder)
    text = card(captioner.load())
    save_atomically(lambda path: path.write_text(text), WEIGHTS / "captioner.md")


if __name__ == "__main__":
    main()
