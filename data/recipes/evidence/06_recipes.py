"""Lesson 6: which recipe of gradient ascent draws what networks that had no part believe?

Every category is climbed by each of the lesson's recipes from several starts, grey with a little noise (the waves: a
random spectrum), with the lesson's side and steps. Null: the starts themselves.
"""

from functools import partial

import torch
from measured import mean

from lecturekit.moving import objectives, optimise, parameters, projections, steps
from lecturekit.networks import models
from lecturekit.pictures import transforms

QUESTION = "How much do networks that had no part believe what a recipe draws?"
UNIT = "probability of what should be there"
INTERVAL = "95 % bootstrap interval over pictures"
SETTINGS = {"network": "resnet_s", "judges": ["vgg_s", "alexnet_s"], "side": 80, "steps": 16, "rate": 2.0, "starts": 5,
            "noise": 0.02, "contrast": 0.05, "tv": 0.05, "blur": 0.8, "pixels": [0.3, 0.5], "still": 0.5, "mild tv": 0.02,
            "shift": 5, "scale": [0.9, 1.1], "degrees": 8, "adam": 0.05}
WEIGHTS = ("weights/resnet_s.safetensors", "weights/vgg_s.safetensors", "weights/alexnet_s.safetensors")


def start(seed, count=20):
    s = SETTINGS
    noise = torch.randn(count, 3, s["side"], s["side"], generator=torch.Generator().manual_seed(seed))
    return (0.5 + s["noise"] * noise).clamp(0, 1)


def recipes(model, seed):
    """{name: (start, objective, step, projection, transform)} as in the lesson."""
    s, goal, grey = SETTINGS, objectives.class_score(model, torch.arange(len(model.categories))), start(seed)
    tv, contrast = objectives.total_variation(2), objectives.alpha_norm(2)
    box, length = projections.box, steps.normalised(s["rate"])
    blur, specks = (projections.chain(part, box)
                    for part in (projections.blur(s["blur"]), projections.clip_small(*s["pixels"])))
    moves = transforms.chain(transforms.jitter(s["shift"]), transforms.scale(*s["scale"]), transforms.rotate(s["degrees"]))
    return {"plain": (grey, goal, length, box, None), "L2": (grey, goal - s["contrast"] * contrast, length, box, None),
            "blur": (grey, goal, length, blur, None), "small pixels": (grey, goal, length, specks, None),
            "small gradients": (grey, goal, steps.normalised(s["rate"], still=s["still"]), box, None),
            "TV": (grey, goal - s["tv"] * tv, length, box, None), "moves": (grey, goal, length, box, moves),
            "blur, TV, moves": (grey, goal - s["mild tv"] * tv, length, blur, moves),
            "Fourier, moves": (parameters.Fourier(len(grey), s["side"], seed=seed), goal, steps.adam(s["adam"]), None, moves)}


def judged(recipe, seed):
    """{judge: [its probability of each category, in the picture of that category]}."""
    model = models.load(SETTINGS["network"])
    pictures = start(seed)
    if recipe is not None:
        begin, goal, step, project, move = recipes(model, seed)[recipe]
        pictures = optimise(begin, goal, SETTINGS["steps"], step, project, move, seed, quiet=True).images
    told = {}
    for name in SETTINGS["judges"]:
        judge = models.load(name)
        index = [models.category_index(judge, category) for category in model.categories]
        told[name] = models.predict(judge, pictures)[torch.arange(len(index)), index].tolist()
    return told


def parts():
    names = {"the start itself": None} | {name: name for name in recipes(models.load(SETTINGS["network"]), 0)}
    return {f"{title}; {seed}": partial(judged, name, seed)
            for title, name in names.items() for seed in range(SETTINGS["starts"])}


def rows(results):
    for title in dict.fromkeys(key.partition(";")[0] for key in results):
        told = [of for key, of in results.items() if key.partition(";")[0] == title]
        by_judge = {judge: torch.tensor([p for of in told for p in of[judge]]) for judge in SETTINGS["judges"]}
        yield mean(title, sum(by_judge.values()) / len(by_judge), null="start" in title)
        for judge, values in by_judge.items():
            yield mean(f"{title}, judged by {judge}", values, null="start" in title)
