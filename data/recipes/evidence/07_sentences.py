"""Lesson 7: how often do judges name what was climbed for a sentence? Plain, with priors, and without holding the rest back.

Nulls: plain ascent, whose texts the joint model finds as well, and what naming at random among twenty categories gives.
"""

from functools import partial

import torch
from measured import mean

from lecturekit.moving import objectives, optimise, projections, steps
from lecturekit.networks import joint, models
from lecturekit.pictures import transforms

QUESTION = "What share of the pictures climbed for a sentence do three judges name?"
UNIT = "share named as the sentence says"
INTERVAL = "95 % bootstrap interval over sentences, judges and seeds"
SETTINGS = {"side": 96, "seeds": 3, "most": 60, "judges": ["resnet_s", "vgg_s", "alexnet_s"],
            "the lesson's six": ["a red mug", "a yellow lemon", "a green bell pepper", "a purple table lamp",
                                 "a yellow school bus", "a red stop sign"],
            "six others": ["a blue chair", "a black dumbbell", "a white washing machine", "a black computer keyboard",
                           "a green mug", "a red bell pepper"]}
WEIGHTS = ("weights/joint.safetensors", *(f"weights/{name}.safetensors" for name in (*SETTINGS["judges"], "resnet_s_robust")))
SETS, PLAIN, CHANCE = ("the lesson's six", "six others"), "plain ascent", "named at random"


def hold(images, step):
    """Everything a little nearer to grey, the more the further it is from the middle."""
    line = torch.linspace(-1, 1, images.shape[-1])
    return 0.5 + (images - 0.5) * (1 - 0.15 * (line[:, None] ** 2 + line ** 2))


def ways():
    """{name: (step, projection, transform, number of steps)}."""
    moves = transforms.chain(transforms.jitter(8), transforms.scale(0.85, 1.15), transforms.rotate(8))
    soft, strong = projections.blur(1.5, 2), steps.normalised(6.0)
    return {PLAIN: (steps.normalised(1.0), projections.box, None, 25),
            "with priors": (strong, projections.chain(soft, hold, projections.box), moves, SETTINGS["most"]),
            "with priors, nothing held back": (strong, projections.chain(soft, projections.box), moves, SETTINGS["most"])}


def named(way, texts, seed):
    """[whether a judge names a picture], judges one after the other."""
    clip, (step, project, transform, most) = joint.load(), ways()[way]
    wanted, side = clip.encode_texts(SETTINGS[texts]), SETTINGS["side"]
    begin = torch.full((len(wanted), 3, side, side), 0.5)
    goal = objectives.Objective(lambda images: (clip.encode_images(images) * wanted).sum(1))
    images = optimise(begin, goal, most, step, project, transform, seed=seed, quiet=True).images
    right = []
    for judge in map(models.load, SETTINGS["judges"]):
        own = torch.tensor([models.category_index(judge, text.split(" ", 2)[2]) for text in SETTINGS[texts]])
        right += (models.predict(judge, images).argmax(1) == own).float().tolist()
    return right


def seeds(way):
    """Those of the moves; plain ascent draws nothing."""
    return range(1 if way == PLAIN else SETTINGS["seeds"])


def parts():
    return {f"{way}; {texts}; {seed}": partial(named, way, texts, seed)
            for way in ways() for texts in SETS for seed in seeds(way)}


def rows(results):
    for way in ways():
        for texts in SETS:
            right = [one for seed in seeds(way) for one in results[f"{way}; {texts}; {seed}"]]
            yield mean(way, right, at=texts, null=way == PLAIN)
    for texts in SETS:
        yield mean(CHANCE, [1 / 20] * len(right), at=texts, null=True)
