"""The plan of every split: sample (split, index) to a dict of factors, from its own random generator alone."""

import zlib

import numpy as np

from shapes import CATEGORIES

TRAIN_INSTANCES, TEST_INSTANCES = range(0, 20), range(20, 28)
COUNTS = {"train": 3000, "test": 1000, "grid": 480, "light": 80, "scale": 80, "object_colour": 80,
          "background_colour": 80, "two_objects": 200, "cue_conflict": 200}
MARGIN, LARGEST, SMALLEST = 0.95, 0.80, 0.50      # as fractions of the picture's side

COLOURS = {"red": (0.78, 0.08, 0.07), "orange": (0.93, 0.45, 0.06), "yellow": (0.96, 0.80, 0.10),
           "green": (0.16, 0.55, 0.20), "blue": (0.10, 0.33, 0.75), "purple": (0.48, 0.20, 0.66),
           "brown": (0.43, 0.26, 0.13), "black": (0.11, 0.11, 0.12), "white": (0.93, 0.93, 0.91)}
ANY = {name: 1 for name in COLOURS}
PALETTES = {  # category: how often each named colour
    "chair": ANY | {"brown": 4, "black": 0.5}, "mug": ANY, "lemon": {"yellow": 4, "green": 1},
    "bell pepper": {"red": 3, "yellow": 2, "green": 3, "orange": 2},
    "dumbbell": {"black": 4, "blue": 2, "red": 2, "purple": 1, "green": 1, "orange": 1},
    "washing machine": {"white": 6, "black": 1, "blue": 1, "red": 1},
    "computer keyboard": {"black": 4, "white": 4, "blue": 1, "purple": 1, "green": 1, "red": 1},
    "table lamp": ANY | {"white": 3, "black": 0.3, "brown": 0.5},
    "school bus": {"yellow": 8, "orange": 2, "blue": 0.5, "white": 0.5}, "stop sign": {"red": 1}}
SHADES = {("lemon", "green"): (0.68, 0.78, 0.20)}  # where a category has its own shade of a named colour
TYPICAL = {"chair": "brown", "mug": "blue", "lemon": "yellow", "bell pepper": "red", "dumbbell": "black",
           "washing machine": "white", "computer keyboard": "black", "table lamp": "white", "school bus": "yellow",
           "stop sign": "red"}

ROOM_COLOURS = {"red": (0.66, 0.30, 0.26), "orange": (0.80, 0.55, 0.34), "yellow": (0.85, 0.76, 0.45),
                "green": (0.42, 0.58, 0.40), "blue": (0.38, 0.52, 0.70), "purple": (0.55, 0.45, 0.65),
                "brown": (0.52, 0.38, 0.26), "black": (0.22, 0.22, 0.24), "white": (0.86, 0.85, 0.82)}
FLOORS = {"wood": ("brown", "orange", "yellow"), "tiles": tuple(ROOM_COLOURS), "striped": tuple(ROOM_COLOURS),
          "checkered": tuple(ROOM_COLOURS), "plain": tuple(ROOM_COLOURS), "carpet": tuple(ROOM_COLOURS),
          "marble": ("white", "black", "green", "brown"), "concrete": ("white", "black", "blue")}
WALLS = {"plain": tuple(ROOM_COLOURS), "brick": ("red", "brown", "white", "orange"), "striped": tuple(ROOM_COLOURS),
         "dotted": tuple(ROOM_COLOURS), "panelled": ("brown", "white", "blue", "green"), "tiled": tuple(ROOM_COLOURS),
         "concrete": ("white", "black", "blue"), "checkered": tuple(ROOM_COLOURS)}

# azimuths and elevations that show what a thing is; all others: azimuth 0 to 360, elevation 10 to 48 degrees
AZIMUTHS = {"stop sign": (-60, 60), "washing machine": (-65, 65)}
ELEVATIONS = {"stop sign": (6, 32), "washing machine": (10, 38), "computer keyboard": (24, 55)}


def seed_of(*key):
    """A 31-bit seed from strings and numbers, the same on every machine."""
    return zlib.crc32("/".join(map(str, key)).encode()) & 0x7FFFFFFF


def number(value, digits=3):
    return round(float(value), digits)


def draw_colour(rng, weights, shades=COLOURS, category=None):
    """A named colour by its weight, its shade slightly varied: {"name", "colour"}."""
    names = list(weights)
    name = str(rng.choice(names, p=np.array([weights[n] for n in names]) / sum(weights.values())))
    base = SHADES.get((category, name), shades[name])
    return {"name": name, "colour": [number(c) for c in np.clip(base + rng.uniform(-0.045, 0.045, 3), 0.03, 0.97)]}


def draw_object(rng, category, instance, azimuth=None, colour=None, surface=None):
    """One object: instance, surface, colour and azimuth; its position is the table's centre."""
    surface, (low, high) = surface or category, AZIMUTHS.get(category, (0, 360))
    colour = colour or draw_colour(rng, PALETTES[surface], category=surface)
    azimuth = rng.uniform(low, high) if azimuth is None else azimuth
    return {"category": category, "instance": int(instance), "surface": surface,
            "surface_seed": int(rng.integers(8)), "colour": colour["colour"], "colour_name": colour["name"],
            "azimuth": number(azimuth % 360, 1), "position": [0.0, 0.0]}


def draw_plane(rng, kinds, avoid=()):
    """A floor or a wall: kind, colour (not one of the names in `avoid`), texture seed and turn."""
    kind = str(rng.choice(list(kinds)))
    names = [name for name in kinds[kind] if name not in avoid] or list(kinds[kind])
    colour = draw_colour(rng, {name: 1 for name in names}, ROOM_COLOURS)
    return {"kind": kind, "colour": colour["colour"], "colour_name": colour["name"], "seed": int(rng.integers(4)),
            "turn": number(rng.uniform(0, 180), 1)}


def draw_light(rng):
    return {"azimuth": number(rng.uniform(-80, 80), 1), "elevation": number(rng.uniform(35, 72), 1),
            "intensity": number(rng.uniform(0.75, 1.3)), "warmth": number(rng.uniform(-1, 1))}


def draw_scene(rng, objects, elevations=(10, 48), distances=(2.3, 3.7)):
    """A room, a light and a camera around the objects."""
    names = {thing["colour_name"] for thing in objects}
    return {"objects": objects, "elevation": number(rng.uniform(*elevations), 1),
            "distance": number(rng.uniform(*distances)), "aim": 0.4, "floor": draw_plane(rng, FLOORS, names),
            "background": draw_plane(rng, WALLS, names), "light": draw_light(rng)}


def extent(factors, i=0):
    """Bounding box (left, bottom, right, top) of object `i` in picture coordinates, each side -1 to 1."""
    import scene
    spots = scene.project(scene.world_points(factors["objects"][i]), factors)
    return np.concatenate([spots.min(0), spots.max(0)])


def size(factors, i=0):
    """The longer side of object `i`'s box as a fraction of the picture's side."""
    box = extent(factors, i)
    return float(max(box[2:] - box[:2]) / 2)


def fit(factors, smallest=SMALLEST, largest=LARGEST):
    """Aim at the object's middle and move the camera until its size is within bounds."""
    import scene
    thing = factors["objects"][0]
    factors["aim"] = number(scene.body(thing["category"], thing["instance"]).height / 2)
    for _ in range(4):
        now = size(factors)
        factors["distance"] = number(factors["distance"] * now / np.clip(now, smallest, largest))
    return factors


def shift(factors, rng):
    """Put the object off the table's centre, as far as it stays in the picture."""
    offset = rng.uniform((-0.3, -0.5), (0.3, 0.5))
    for _ in range(20):
        factors["objects"][0]["position"] = [number(c) for c in offset]
        if abs(extent(factors)).max() < MARGIN:
            break
        offset = offset * 0.8
    return factors


def single(rng, category, instance, **options):
    """A scene of one object with everything drawn."""
    thing = draw_object(rng, category, instance, **options)
    factors = draw_scene(rng, [thing], ELEVATIONS.get(category, (10, 48)))
    return shift(fit(factors), rng)


def azimuth_steps(category):
    """Eight azimuths: all around, or evenly over the range that shows what a thing is."""
    if category in AZIMUTHS:
        return np.linspace(*AZIMUTHS[category], 8)
    return 45.0 * np.arange(8)


def studio(category, instance, azimuth=30.0):
    """The fixed scene of the grid and the sweeps: plain grey-white room, typical colour, camera 25 degrees above."""
    rng = np.random.default_rng(seed_of("studio", category))
    name = TYPICAL[category]
    thing = draw_object(rng, category, instance, azimuth, {"name": name, "colour": [*COLOURS[name]]})
    thing["surface_seed"] = 0
    plane = {"kind": "plain", "colour": [0.70, 0.70, 0.69], "colour_name": "white", "seed": 0, "turn": 0.0}
    return {"objects": [thing], "elevation": 26.0, "distance": 2.8, "aim": 0.4,
            "floor": plane, "background": dict(plane),
            "light": {"azimuth": 40.0, "elevation": 55.0, "intensity": 1.0, "warmth": 0.0}}


def plan_train(index, rng, instances=TRAIN_INSTANCES):
    category, turn = CATEGORIES[index % 10], index // 10
    return single(rng, category, instances[turn % len(instances)])


def plan_test(index, rng):
    return plan_train(index, rng, TEST_INSTANCES)


def plan_grid(index, rng):
    category, (instance, step) = CATEGORIES[index % 10], divmod(index // 10, 8)
    factors = studio(category, TEST_INSTANCES[instance], azimuth_steps(category)[step])
    return _centred(factors) | {"azimuth_index": step}


def _centred(factors):
    """Aim at half the object's height; nothing else moves."""
    import scene
    thing = factors["objects"][0]
    factors["aim"] = number(scene.body(thing["category"], thing["instance"]).height / 2)
    return factors


def _sweep(index):
    category, step = CATEGORIES[index % 10], index // 10
    return _centred(studio(category, TEST_INSTANCES[0])), step


def plan_light(index, rng):
    factors, step = _sweep(index)
    factors["light"]["azimuth"] = number(np.linspace(-80, 80, 8)[step], 1)
    return factors


def plan_scale(index, rng):
    factors, step = _sweep(index)
    factors["distance"] = number(np.geomspace(2.2, 4.8, 8)[step])
    return factors


SWEEP_COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")


def plan_object_colour(index, rng):
    factors, step = _sweep(index)
    factors["objects"][0] |= {"colour": [*COLOURS[SWEEP_COLOURS[step]]], "colour_name": SWEEP_COLOURS[step]}
    return factors


def plan_background_colour(index, rng):
    factors, step = _sweep(index)
    name = SWEEP_COLOURS[step]
    for plane in ("floor", "background"):
        factors[plane] |= {"colour": [*ROOM_COLOURS[name]], "colour_name": name}
    return factors


def pair(index):
    """Ordered pairs of different categories; every 90 in a row hold each once, every 10 each first member once."""
    first, offset = index % 10, 1 + index // 10 % 9
    return CATEGORIES[first], CATEGORIES[(first + offset) % 10]


def plan_two_objects(index, rng):
    """Two categories side by side, the first on the left; the camera steps back until both are in the picture."""
    objects = [draw_object(rng, category, rng.choice(TEST_INSTANCES)) for category in pair(index)]
    factors = draw_scene(rng, objects, (16, 36), (3.4, 4.2))
    _side_by_side(objects, rng)
    factors["aim"] = 0.38
    while max(abs(extent(factors, i)).max() for i in (0, 1)) > MARGIN:
        factors["distance"] = number(factors["distance"] * 1.04)
    return factors


def _side_by_side(objects, rng):
    import scene
    spans = [scene.world_points(thing)[:, 1] for thing in objects]
    widths, gap = [np.ptp(span) for span in spans], rng.uniform(0.04, 0.16)
    left = -(sum(widths) + gap) / 2
    centres = (left, left + widths[0] + gap)
    for thing, span, start in zip(objects, spans, centres):
        thing["position"] = [number(rng.uniform(-0.2, 0.25)), number(start - span.min())]


def plan_cue_conflict(index, rng):
    shape, surface = pair(index)
    return single(rng, shape, rng.choice(TEST_INSTANCES), surface=surface)


def plan(split, index):
    """The factors of sample `index` of `split`."""
    seed = seed_of("tabletop", split, index)
    factors = globals()[f"plan_{split}"](index, np.random.default_rng(seed))
    return factors | {"split": split, "index": index, "seed": seed}


def preview(category, instance, azimuth):
    """The studio with an instance seen from `azimuth`, in one of its category's colours."""
    rng = np.random.default_rng(seed_of("preview", category, instance))
    factors = studio(category, instance, azimuth)
    colour = draw_colour(rng, PALETTES[category], category=category)
    factors["objects"][0] |= {"colour": colour["colour"], "colour_name": colour["name"]}
    return _centred(factors) | {"seed": instance}
