"""Things to move with the mouse or the arrow keys. The only module that knows ipywidgets."""

import io
import threading
from functools import partial

import ipywidgets
from PIL import Image

from lecturekit.pictures import pixels

CONTROLS = {str: ipywidgets.Dropdown, tuple: ipywidgets.ToggleButtons}   # by the kind of value; a slider for others


def explore(draw, width=480, **choices):
    """A picture that is redrawn as its controls move.

    `choices` gives each argument of `draw` a list of values (a slider), of strings (a menu) or of pairs (label, value)
    (a row of buttons, of which two may have the same label); `draw(**values)` returns the picture as a tensor (3,H,W)
    in [0,1], a PIL image or PNG bytes. Nothing is drawn twice.
    """
    controls = {name: _control(name, values) for name, values in choices.items()}
    picture = ipywidgets.Image(format="png", width=width)
    drawn = {}

    def update(_=None):
        key = tuple(control.value for control in controls.values())
        if key not in drawn:
            drawn[key] = _png(draw(**{name: control.value for name, control in controls.items()}), width)
        picture.value = drawn[key]

    for control in controls.values():
        control.observe(update, "value")
    update()
    return ipywidgets.VBox([*controls.values(), picture])


def live(run, width=320, **choices):
    """A picture that grows while `run(watch, **values)` works, with a button to start and one to stop.

    `choices` gives each further argument of `run` a list of values, as in `explore`. `run` hands `watch` to `optimise`,
    in a thread of its own; stopping ends it there, and the picture stays.
    """
    controls = {name: _control(name, values) for name, values in choices.items()}
    picture, text = ipywidgets.Image(format="png", width=width), ipywidgets.Label("not started")
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
    return ipywidgets.VBox([*controls.values(), ipywidgets.HBox([start, stop, text]), picture])


def _control(name, values):
    kind = CONTROLS.get(type(values[0]), partial(ipywidgets.SelectionSlider, continuous_update=False))
    return kind(options=list(values), description=name.replace("_", " "), style={"description_width": "initial"})


def _png(picture, width):
    if isinstance(picture, bytes):
        return picture
    image = picture if isinstance(picture, Image.Image) else pixels.to_pil(picture)
    if image.width < width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
