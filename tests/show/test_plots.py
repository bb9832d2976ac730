"""Figures come out whole: colour scales are honest, empty and constant maps do not break them."""

import base64
import inspect
import io

import matplotlib
import nbformat
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt   # noqa: E402

from lecturekit.course import deck, execute   # noqa: E402
from lecturekit.show import figure, plots   # noqa: E402


@pytest.fixture(autouse=True)
def close():
    plt.close("all")
    yield
    plt.close("all")


def drawn():
    figure = plt.gcf()
    figure.canvas.draw()
    return figure, [ax for ax in figure.axes if ax.get_visible()]


def test_images_on_a_grid():
    plots.images(torch.rand(5, 3, 8, 8), [f"picture {i}" for i in range(5)], columns=3, alt="It shows this.")
    figure, axes = drawn()
    assert [ax.get_title() for ax in axes] == [f"picture {i}" for i in range(5)]
    assert axes[0].images[0].get_array().shape == (8, 8, 3)


def test_signed_maps_are_diverging_and_centred():
    plots.maps(torch.tensor([[[-1.0, 0.5], [0.0, 0.25]]]), alt="It shows this.")
    image = drawn()[1][0].images[-1]
    assert image.get_clim() == (-1, 1) and image.get_cmap().name == plots.DIVERGING


@pytest.mark.parametrize("channels", [1, 3])
def test_maps_lie_over_the_grey_of_pictures_of_any_channels(channels):
    pictures = torch.rand(1, channels, 6, 9)
    plots.maps(torch.rand(1, 6, 9), images=pictures, alt="It shows this.")
    grey = torch.from_numpy(drawn()[1][0].images[0].get_array().filled())
    torch.testing.assert_close(grey.float(), pictures[0].mean(0))


def test_unsigned_maps_are_uniform():
    plots.maps(torch.rand(2, 4, 4), images=torch.rand(2, 3, 16, 16), alt="It shows this.")
    axes = drawn()[1]
    assert axes[0].images[-1].get_cmap().name == plots.SEQUENTIAL
    assert axes[0].images[0].get_extent() == axes[0].images[1].get_extent()


@pytest.mark.parametrize("value", [0.0, 3.0, -3.0, float("nan")])
def test_constant_maps_draw(value):
    plots.maps(torch.full((1, 4, 4), value), shared=True, label="drop", alt="It shows this.")
    low, high = drawn()[1][0].images[-1].get_clim()
    assert low < high or value == 0.0


def test_zero_weight_is_mid_grey_in_filters():
    weights = torch.zeros(3, 3, 5, 5)
    weights[0, 0] = 1.0
    weights[1, 0] = -1.0
    plots.filters(weights, alt="It shows this.")
    pictures = [ax.images[0].get_array() for ax in drawn()[1]]
    assert pictures[2].min() == pictures[2].max() == 0.5
    assert pictures[0][..., 0].max() == 1 and pictures[1][..., 0].min() == 0


def test_mosaics_tile_every_filter():
    weights = torch.zeros(5, 3, 4, 4)
    weights[1, 0] = 2.0
    plots.mosaics({"colour": weights, "signed": weights[:, :1] - 1, "plain": weights[:, :1]}, columns=3, alt="It shows this.")
    colour, signed, plain = (ax.images[0] for ax in drawn()[1])
    assert colour.get_array().shape == (11, 16, 3)
    assert colour.get_array()[2, 7].tolist() == [1, 0.5, 0.5] and (colour.get_array()[0] == 1).all()
    assert signed.get_clim() == (-1, 1) and plain.get_clim() == (0, 2)


def test_lines_and_bars_have_names():
    plots.lines([1, 2, 3], {"trained": [1, 2, 3], "random": [1, 1, 1]}, "depth", "error",
                bands={"random": ([0, 0, 0], [2, 2, 2])}, alt="It shows this.")
    axis = drawn()[1][0]
    assert axis.get_xlabel() == "depth" and [t.get_text() for t in axis.texts] == ["trained", "random"]
    assert axis.texts[0].get_color() == axis.lines[0].get_color() != axis.texts[1].get_color()
    plots.bars(["a", "b"], {"trained": [1, 2]}, "share", alt="It shows this.")
    assert [t.get_text() for t in drawn()[1][0].get_xticklabels()] == ["a", "b"]


def test_scatter_gives_every_class_a_colour_and_marker_of_its_own():
    plots.scatter({"one": torch.rand(20, 2), "two": torch.rand(20, 2)}, torch.arange(20) % 10, list("abcdefghij"), alt="It shows this.")
    figure, axes = drawn()
    looks = {(tuple(c.get_facecolor()[0]), len(c.get_paths()[0])) for c in axes[0].collections}
    assert len(looks) >= 9 and len(figure.legends[0].get_texts()) == 10


@pytest.mark.parametrize("wide, high, expected", [(1.0, 1.0, 1.0), (1.2, 1.0, 1.2), (1.0, 9.0, 2 / 3), (9.0, 1.0, 3 / 2)])
def test_the_panels_of_a_scatter_have_the_shape_of_their_points(wide, high, expected):
    points = torch.tensor([[0.0, 0.0], [wide, high]])
    plots.scatter({"one": points, "two": points}, torch.tensor([0, 1]), ["a", "b"], alt="It shows this.")
    box = drawn()[1][0].get_window_extent()
    assert box.width / box.height == pytest.approx(expected, rel=0.15)   # the legend takes some of the width


@pytest.mark.parametrize("box", [(2, 3, 5, 7), (0, 0, 4, 8), (0, 0, 8, 10)])
def test_an_outline_runs_along_the_border_of_its_mask(box):
    top, left, bottom, right = box
    mask = torch.zeros(1, 8, 10, dtype=torch.bool)
    mask[:, top:bottom, left:right] = True
    plots.maps(torch.rand(1, 4, 5), images=torch.rand(1, 3, 8, 10), outlines=mask, alt="It shows this.")
    ax = drawn()[1][0]
    line = ax.collections[-1].get_paths()[0].get_extents()
    assert (line.x0, line.x1, line.y0, line.y1) == pytest.approx((left / 2, right / 2, top / 2, bottom / 2), abs=0.01)
    assert ax.get_xlim() == (0, 5) and ax.get_ylim() == (4, 0)


def stored(values):
    """What becomes of a picture (H,W,3) of whole numbers to 255 when a lesson is stored: (MIME type, share of its size)."""
    png = io.BytesIO()
    Image.fromarray(values.to(torch.uint8).numpy()).save(png, "PNG")
    kept = execute.smaller(base64.b64encode(png.getvalue()).decode())
    (kind, data), = kept.items()
    return kind, len(base64.b64decode(data)) / len(png.getvalue())


def test_drawings_are_stored_as_png_and_what_is_rich_as_jpeg():
    drawing = torch.full((400, 400, 3), 255)
    drawing[:, ::7], drawing[::31] = 0, 90
    generator = torch.Generator().manual_seed(0)
    rough = torch.nn.functional.interpolate(torch.rand(1, 3, 40, 40, generator=generator), (400, 400), mode="bicubic")
    photo = (rough[0].permute(1, 2, 0) * 255).clamp(0, 255)
    overlay = photo.mean(2, keepdim=True).round().expand(-1, -1, 3)   # few colours, and as rich as a photo
    assert stored(drawing)[0] == "image/png"
    for picture in (photo, overlay):
        kind, share = stored(picture)
        assert kind == "image/jpeg" and share < 0.5


def test_paths_keep_order_and_colours():
    red_to_blue = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])
    plots.paths({"turn": torch.rand(2, 2), "light": torch.rand(5, 2)}, {"turn": red_to_blue}, alt="It shows this.")
    axes = drawn()[1]
    assert axes[0].collections[0].get_facecolor()[:, :3].tolist() == red_to_blue.tolist()
    shades = axes[1].collections[0].get_facecolor()[:, :3].sum(1)
    assert len(shades) == 5 and (shades[1:] > shades[:-1]).all()


def test_table_writes_percentages():
    plots.table(torch.tensor([[0.104, 0.9]]), ["row"], ["a", "b"], alt="It shows this.")
    assert [text.get_text() for text in drawn()[1][0].texts] == ["10", "90"]


def test_table_writes_texts_in_place_of_percentages():
    plots.table(torch.tensor([[0.0, 1.0]]), ["row"], ["a", "b"], texts=[["3 ms", "0.12"]], alt="It shows this.")
    assert [text.get_text() for text in drawn()[1][0].texts] == ["3 ms", "0.12"]


def test_numbers_are_written_and_coloured_on_one_scale():
    plots.numbers({"a": torch.tensor([[1.0, -0.0]]), "b": torch.tensor([[-4.0, 2.5]])}, alt="It shows this.")
    axes = drawn()[1]
    assert [[text.get_text() for text in ax.texts] for ax in axes] == [["1", "0"], ["-4", "2.5"]]
    assert [ax.images[0].get_clim() for ax in axes] == [(-4, 4)] * 2


def test_fine_maps_as_means_of_squares_with_a_clipped_scale_and_named_rows():
    values = torch.arange(64.0).view(1, 8, 8).repeat(4, 1, 1)
    values[0, 0, 0] = 1000
    plots.maps(values, columns=2, cells=4, clip=0.5, rows=["first", "second"], alt="It shows this.")
    axes = drawn()[1]
    shown = axes[1].images[0]
    assert shown.get_array().shape == (4, 4) and shown.get_array()[0, 0] == (0 + 1 + 8 + 9) / 4
    assert axes[0].images[0].get_clim()[1] < 100 and shown.get_clim()[1] == pytest.approx(31.5)
    assert [ax.get_ylabel() for ax in axes] == ["first", "", "second", ""]


def test_intervals_are_sorted_and_as_wide_as_told():
    plots.intervals({"good": (0.9, 0.7, 1.0), "poor": (0.5, 0.4, 0.55)}, "share", chance=0.5, alt="It shows this.")
    axis = drawn()[1][0]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["poor", "good"]
    ends = [bars.get_segments()[0][:, 0].tolist() for bars in axis.collections]
    assert [pytest.approx(pair) for pair in ends] == [[0.4, 0.55], [0.7, 1.0]]
    assert axis.get_xlabel() == "share" and [0.5, 0.5] in [list(line.get_xdata()) for line in axis.lines]


def test_intervals_draw_nulls_below_and_what_is_live_on_top():
    plots.intervals({"good": (0.9, 0.7, 1.0)}, nulls={"middle": (0.95, 0.9, 1.0)}, live={"good": 0.8}, alt="It shows.")
    axis = drawn()[1][0]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["middle", "good"]
    live, = [line for line in axis.lines if line.get_marker() == "D"]
    assert (live.get_xdata()[0], live.get_ydata()[0]) == (0.8, 1)
    with pytest.raises(ValueError, match="live: got 'best'"):
        plots.intervals({"good": (0.9, 0.7, 1.0)}, live={"best": 0.8}, alt="It shows.")


def test_curves_have_intervals_and_names_that_do_not_overlap():
    x, flat = [0, 1, 2], [0.5, 0.5, 0.5]
    plots.curves({name: (x, flat, [0.4] * 3, [0.6] * 3) for name in "abcd"}, nulls={"chance": (x, flat, flat, flat)},
                 live={"b": ([1], [0.55])}, alt="It shows.")
    figure, (axis,) = drawn()
    boxes = sorted(text.get_window_extent() .y0 for text in axis.texts)
    assert [text.get_text() for text in axis.texts] == [*"abcd", "chance"]
    assert min(b - a for a, b in zip(boxes, boxes[1:])) > axis.texts[0].get_window_extent().height * 0.8
    assert axis.collections[0].get_segments()[1][:, 1].tolist() == pytest.approx([0.4, 0.6])


def test_the_name_of_a_curve_that_leaves_the_axes_stands_at_their_edge():
    plots.curves({"off": ([0, 1], [0.5, 3], [0.5, 3], [0.5, 3]), "in": ([0, 1], [0.5, 0.2], [0.5, 0.2], [0.5, 0.2])},
                 ylim=(0, 1), alt="It shows this.")
    _, (ax,) = drawn()
    assert [name.xy[1] for name in ax.texts] == [1, pytest.approx(0.2)]


def test_names_stand_beside_the_ends_of_curves_far_above_one():
    plots.lines(range(40), {"logit": torch.linspace(0, 300, 40), "other": torch.linspace(0, -50, 40)}, alt="It shows.")
    ax = drawn()[1][0]
    names = {text.get_text(): text.xy[1] for text in ax.texts}
    assert 0.9 < names["logit"] < 1 and 0 < names["other"] < 0.1


def test_long_names_of_curves_take_no_room_and_are_not_cut_off(recwarn):
    plots.lines([0, 1], {"a name that is longer than the axes are wide " * 2: [0, 1], "b": [1, 0]}, size=(3, 2), alt="It shows.")
    sheet, (axis,) = drawn()
    figure.settle(sheet)
    box = sheet.get_tightbbox(sheet.canvas.get_renderer())
    assert axis.get_position().width > 0.5 and box.width > 6 and not recwarn.list


PLOTS = [getattr(plots, name) for name in dir(plots) if hasattr(getattr(plots, name), "__wrapped__")]


def test_no_plot_goes_without_the_text_that_says_what_it_shows():
    assert len(PLOTS) >= 13
    for plot in PLOTS:
        asked = inspect.signature(plot).parameters["alt"]
        assert asked.kind is asked.KEYWORD_ONLY and asked.default is asked.empty
    with pytest.raises(TypeError, match="alt"):
        plots.images(torch.rand(1, 3, 4, 4))
    with pytest.raises(ValueError, match="alt: got ' '. It takes a sentence"):
        plots.images(torch.rand(1, 3, 4, 4), alt=" ")


SHOWN = """
from lecturekit.show import plots
import torch
plots.images(torch.rand(2, 3, 8, 8), alt="Two pictures of noise.")
"""


def test_the_text_is_carried_into_the_output_the_stored_lesson_and_the_deck():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SHOWN)])
    output = execute.execute(notebook, ".").cells[0].outputs[0]
    kind, = {"image/png", "image/jpeg"} & set(output.data)
    assert output.metadata == {kind: {"alt": "Two pictures of noise."}}
    assert output.data["text/plain"] == "Two pictures of noise."
    assert deck._figures(notebook.cells[0], "")[0].alt == "Two pictures of noise."


def lightness(colour):
    """Relative luminance (WCAG 2.2) of a colour such as "#1b1b1b"."""
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", figure.THEMES)
def test_text_is_legible_in_each_theme(name, monkeypatch):
    monkeypatch.setattr(figure, "_current", "light")
    figure.theme(name)
    plots.lines([0, 1], {"a": [0, 1]}, "depth", "share", alt="It shows.")
    axis = drawn()[1][0]
    paper = axis.get_facecolor()
    assert paper == axis.figure.get_facecolor() and paper[3] == 1
    for text in (axis.xaxis.label, axis.yaxis.label, *axis.get_xticklabels()):
        light, dark = sorted((lightness(text.get_color()), lightness(paper)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 7
    assert axis.figure.dpi >= 192   # what a projector shows


def test_an_unknown_theme_is_refused():
    with pytest.raises(ValueError, match="name: got 'neon'"):
        figure.theme("neon")


def test_places_are_discs_where_right_and_crosses_where_wrong():
    plots.places([torch.rand(3, 8, 12)] * 2, [[(1, 2), (3, 4)]] * 2, ["", ""], [None, [True, False]], alt="It shows this.")
    axes = drawn()[1]
    assert [[line.get_marker() for line in ax.lines] for ax in axes] == [["o", "o"], ["o", "X"]]
    assert axes[1].lines[1].get_xydata().tolist() == [[3, 4]]


@pytest.mark.parametrize("low, colour", [(-2.0, 1.0), (0.0, None)])
def test_overlay_is_a_picture_coloured_as_maps_are(low, colour):
    values = torch.tensor([[low, 0.0], [1.0, 2.0]])
    drawn = plots.overlay(values, torch.ones(3, 2, 2))
    assert drawn.shape == (3, 2, 2) and drawn.min() >= 0 and drawn.max() <= 1
    if colour:   # signed: zero is white
        assert drawn[:, 0, 1].min() > 0.95


def test_titles_may_be_numbers_and_places_may_have_names():
    plots.images(torch.rand(2, 3, 8, 8), torch.tensor([3, 4]).tolist(), alt="It shows.")
    assert [ax.get_title() for ax in drawn()[1]] == ["3", "4"]
    plots.curves({"a": (["conv1", "fc8"], [0.1, 0.2], [0, 0], [1, 1]), "b": (["conv1", "fc8"], [0, 0], [0, 0], [1, 1])},
                 live={"a": (["fc8"], [0.3])}, alt="It shows.")
    assert [text.get_text() for text in drawn()[1][0].texts] == ["a", "b"]


def test_a_row_without_titles_is_no_higher_than_its_panels():
    plots.images(torch.rand(4, 3, 8, 8), ["a", "b", "", ""], columns=2, size=2.0, alt="It shows.")
    height = drawn()[0].get_figheight()
    plots.images(torch.rand(4, 3, 8, 8), columns=2, size=2.0, alt="It shows.")
    assert height - drawn()[0].get_figheight() == pytest.approx(figure.TITLE_LINE)


def test_the_bar_of_maps_over_pictures_has_the_colours_of_the_scale():
    plots.maps(torch.rand(2, 4, 4) - 0.5, images=torch.rand(2, 3, 8, 8), shared=True, label="drop", alt="It shows.")
    bar = drawn()[1][-1]
    assert bar.get_ylabel() == "drop" and all(part.get_alpha() in (None, 1) for part in bar.collections)


def test_clouds_are_framed_and_equally_long_on_both_axes():
    plots.scatter({"wide": torch.rand(9, 2) * torch.tensor([10.0, 1.0])}, [0] * 9, ["a"], alt="It shows.")
    axis = drawn()[1][0]
    assert axis.get_aspect() == 1 and all(spine.get_visible() for spine in axis.spines.values())


def test_curves_that_lie_on_one_another_have_markers_of_their_own():
    plots.lines([0, 1], {name: [0, 1] for name in "abc"}, alt="It shows.")
    assert len({line.get_marker() for line in drawn()[1][0].lines}) == 3


def test_titles_may_be_numbers():
    plots.maps(torch.rand(2, 4, 4), range(2), alt="It shows.")
    assert [ax.get_title() for ax in drawn()[1]] == ["0", "1"]
