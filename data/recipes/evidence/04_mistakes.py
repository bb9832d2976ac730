"""Lesson 4: can a number tell a network's mistakes from its right answers?"""

import torch
from sklearn.metrics import roc_auc_score

from lecturekit import attribution
from lecturekit.attribution import localisation
from lecturekit.networks import models
from lecturekit.pictures import datasets
from lecturekit.show.evidence import Row

QUESTION = "How often does a number rank a mistake above a right answer?"
UNIT = "area under the ROC curve"
INTERVAL = "95 % bootstrap interval over mistakes and right answers"
SETTINGS = {"network": "resnet_s", "pictures": 1000, "side": 96, "right for each mistake": 5, "draws": 1000, "seed": 0}
WEIGHTS = ("weights/resnet_s.safetensors", "tabletop/test.tar")


def measured():
    """{"mistake": [...], clue: [...]} for every mistake among the pictures and several right answers for each."""
    model = models.load(SETTINGS["network"])
    images, masks, truth = datasets.for_model(datasets.tabletop("test")[:SETTINGS["pictures"]], model, SETTINGS["side"])
    chances, said = models.predict(model, images).max(1)
    wrong, right = ((said != truth) == state for state in (True, False))
    wrong, right = wrong.nonzero()[:, 0], right.nonzero()[:, 0]
    source = torch.Generator().manual_seed(SETTINGS["seed"])
    right = right[torch.randperm(len(right), generator=source)[:len(wrong) * SETTINGS["right for each mistake"]]]
    pool = torch.cat([wrong, right])
    maps = attribution.saliency(model, images[pool], said[pool])
    spread = maps.flatten(1).sum(1) / maps.flatten(1).norm(dim=1)   # large: scattered
    return {"mistake": (said != truth)[pool].tolist(),
            "the map lies off the object": (-localisation.energy_inside(maps, masks[pool])).tolist(),
            "the map is concentrated": (-spread).tolist(),
            "the answer's probability is low": (-chances[pool]).tolist(),
            "a number drawn by lot": torch.rand(len(pool), generator=source).tolist()}


def interval(mistake, clue):
    """(area, low, high), mistakes and right answers drawn again with replacement."""
    mistake, clue = torch.tensor(mistake), torch.tensor(clue)
    source, areas = torch.Generator().manual_seed(SETTINGS["seed"]), []
    groups = [(mistake == state).nonzero()[:, 0] for state in (True, False)]
    for _ in range(SETTINGS["draws"]):
        drawn = torch.cat([group[torch.randint(len(group), (len(group),), generator=source)] for group in groups])
        areas.append(roc_auc_score(mistake[drawn], clue[drawn]))
    low, high = torch.tensor(areas, dtype=torch.float64).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return float(roc_auc_score(mistake, clue)), low, high


def parts():
    return {"clues": measured}


def rows(results):
    clues = results["clues"]
    mistake = clues["mistake"]
    return [Row(name, *interval(mistake, values), sum(mistake), null="lot" in name)
            for name, values in clues.items() if name != "mistake"]
