"""Things to move with the mouse, the arrow keys or buttons. The only module that knows ipywidgets.

The picture that a widget begins with is stored with it: pages without a kernel, and kernels without ipywidgets, show that.
"""

import base64
import io
import math
import threading
from functools import partial

from PIL import Image

from lecturekit.pictures import pixels
from lecturekit.show import plots

try:
    import ipywidgets
except ImportError:       # a bare kernel
    ipywidgets = None

GREY = "#7f7f7f"          # of a picture that has not begun
SMALL = 8_000             # bytes up to which the stored picture is a PNG
STORED = 40_000           # pixels of it at most


def explore(draw, width=480, **choices):
    """A picture that is redrawn as its controls move.

    `choices` gives each argument of `draw` a list of values (a slider), of strings (a menu) or of pairs (label, value)
    (a row of buttons, of which two may have the same label); `draw(**values)` returns the picture as a tensor (3,H,W)
    in [0,1], a PIL image or PNG bytes. Nothing is drawn twice. What `draw` colours by `plots.overlay` keeps one colour
    code, with its bar below.
    """
    shown = _Shown(draw, width)
    first = {name: _value(values[0]) for name, values in choices.items()}
    still = _still(shown(first), width, f"What the widget begins with: {_told(choices)}. Run the cell to change it.")
    if ipywidgets is None:
        return Box([], still)
    controls = {name: _control(name, values) for name, values in choices.items()}
    picture = ipywidgets.Image(format="png", width=width)

    def update(_=None):
        picture.value = _png(shown({name: control.value for name, control in controls.items()}), width)

    for control in controls.values():
        control.observe(update, "value")
    update()
    return Box([*map(_stepped, controls.values()), picture], still)


def live(run, width=320, **choices):
    """A picture that grows while `run(watch, **values)` works, with a button to start and one to stop; grey before.

    `choices` gives each further argument of `run` a list of values, as in `explore`. `run` hands `watch` to `optimise`,
    in a thread of its own; stopping ends it there, and the picture stays.
    """
    grey = Image.new("RGB", (width, width), GREY)
    still = _still(grey.resize((32, 32)), width, "A grey square: run the cell and press start, and a picture grows in it.")
    if ipywidgets is None:
        return Box([], still)
    controls = {name: _control(name, values) for name, values in choices.items()}
    picture, text = ipywidgets.Image(value=_png(grey, width), format="png", width=width), ipywidgets.Label("not started")
    start, stop = (ipywidgets.Button(description=name) for name in ("start", "stop"))
    stopping, running = threading.Event(), []

    def watch(number, images, scores):
        picture.value = _png(images[0].clamp(0, 1), width)
        text.value = f"step {number + 1}, score {scores[0]:.1f}"
        if stopping.is_set():
            raise KeyboardInterrupt

    def begin(_):
        if not any(thread.is_alive() for thread in running):
            stopping.clear()
            values = {name: control.value for name, control in controls.items()}
            running[:] = [threading.Thread(target=run, args=(watch,), kwargs=values, daemon=True)]
            running[0].start()

    start.on_click(begin)
    stop.on_click(lambda _: stopping.set())
    return Box([*map(_stepped, controls.values()), ipywidgets.HBox([start, stop, text]), picture], still)


class Box(ipywidgets.VBox if ipywidgets else object):
    """Controls above a picture, shown with the picture that they began with: (data, metadata) by MIME type."""

    def __init__(self, children, still):
        if ipywidgets:
            super().__init__(children)
        self.still = still

    def _repr_mimebundle_(self, **asked):
        data, metadata = self.still
        return (super()._repr_mimebundle_(**asked) if ipywidgets else {}) | data, metadata


class _Shown:
    """The pictures of `draw`, each drawn once, all in one colour code."""

    def __init__(self, draw, width):
        self.draw, self.width, self.code, self.drawn = draw, width, plots.Code(), {}

    def __call__(self, values):
        key = (self.code.signed, *values.values())
        if key not in self.drawn:
            with self.code:
                picture = _image(self.draw(**values))
            key = (self.code.signed, *key[1:])
            self.drawn[key] = picture if self.code.low is None else _above(picture, self.code.bar(self.width), self.width)
        return self.drawn[key]


def _above(picture, bar, width):
    """A picture enlarged to `width`, its colour bar below."""
    picture = _enlarged(picture, width)
    both = Image.new("RGB", (picture.width, picture.height + bar.height + 6), "white")
    both.paste(picture)
    both.paste(bar, (0, picture.height + 6))
    return both


def _value(choice):
    return choice[1] if isinstance(choice, tuple) else choice


def _told(choices):
    firsts = {name: values[0] for name, values in choices.items()}
    return ", ".join(f"{name.replace('_', ' ')} {first[0] if isinstance(first, tuple) else first}"
                     for name, first in firsts.items())


def _control(name, values):
    kinds = {str: ipywidgets.Dropdown, tuple: ipywidgets.ToggleButtons}   # by the kind of value; a slider for others
    kind = kinds.get(type(values[0]), partial(ipywidgets.SelectionSlider, continuous_update=False))
    return kind(options=list(values), description=name.replace("_", " "), style={"description_width": "initial"})


def _stepped(control):
    """A slider with a button for a step back and one for a step on: Notebook 7 keeps the arrow keys for its cells."""
    if not isinstance(control, ipywidgets.SelectionSlider):
        return control

    def step(by):
        control.index = min(max(control.index + by, 0), len(control.options) - 1)

    buttons = []
    for sign, by, told in (("\u2212", -1, "one back"), ("+", 1, "one on")):
        buttons.append(ipywidgets.Button(description=sign, tooltip=f"{control.description}: {told}", layout={"width": "2.5em"}))
        buttons[-1].on_click(lambda _, by=by: step(by))
    return ipywidgets.HBox([control, *buttons])


def _image(picture):
    if isinstance(picture, bytes):
        picture = Image.open(io.BytesIO(picture))
    return picture.convert("RGB") if isinstance(picture, Image.Image) else pixels.to_pil(picture)


def _enlarged(image, width):
    if image.width >= width:
        return image
    return image.resize((width, round(image.height * width / image.width)), Image.Resampling.NEAREST)


def _bytes(image, kind, **settings):
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def _png(picture, width):
    return _bytes(_enlarged(_image(picture), width), "PNG")


def _still(image, width, alt):
    """A picture as an output, small enough to be stored beside its widget: (data, metadata) by MIME type."""
    less = min(1, math.sqrt(STORED / (image.width * image.height)))
    image = image.resize((round(image.width * less), round(image.height * less)))
    kind, drawn = "image/png", _bytes(image, "PNG")
    if len(drawn) > SMALL:
        kind, drawn = "image/jpeg", _bytes(image, "JPEG", quality=75, optimize=True)
    return {kind: base64.b64encode(drawn).decode(), "text/plain": alt}, {kind: {"alt": alt, "width": width}}
