"""Stored evidence: what takes minutes is computed once, with n, interval and null, and shown beside the live run.

A program of data/recipes/evidence/ writes data/evidence/NAME.json by calling the package's own functions on all
pictures; a lesson loads it, draws it with its live values on top, and quotes it. Evidence is stale when the weights or
settings that it was made with are no longer the ones that stand.
"""

import ast
import json
from dataclasses import asdict, dataclass, replace


from lecturekit import files, validate
from lecturekit.show import plots

FOLDER, RECIPES = "evidence", "recipes/evidence"


@dataclass(frozen=True)
class Row:
    """One number with its interval: of a `series` ("Grad-CAM"), `at` a place on the axis where there is one (an eps, a
    layer). A `null` is what could have produced such a number without the claim being true."""

    series: str
    value: float
    low: float
    high: float
    n: int
    at: float | str | None = None
    null: bool = False

    def __post_init__(self):
        if not self.low <= self.value <= self.high:
            raise ValueError(f"value: got {self.value} of {self.series!r}. It takes a number within its interval, "
                             f"{self.low} to {self.high}.")


@dataclass(frozen=True)
class Evidence:
    """What is known of one question. `interval` says what the intervals are, `unit` what the numbers count."""

    name: str
    question: str
    unit: str
    interval: str
    rows: tuple[Row, ...]
    settings: dict
    weights: dict          # {file below data/: sha256}

    def __getitem__(self, key):
        """The value of a series, or of a (series, at) pair."""
        return self.row(key).value

    def row(self, key):
        """The row of a series, or of a (series, at) pair; ValueError for one that is not there."""
        found = {row.series if row.at is None else (row.series, row.at): row for row in self.rows}
        return found[validate.one_of("key", key, found)]

    def n(self):
        """How many pictures, scenes or runs stand behind each number: "300" or "40 to 177"."""
        counts = sorted({row.n for row in self.rows})
        return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"

    def only(self, wanted):
        """The same evidence, but for the series that `wanted(series)` leaves out."""
        return replace(self, rows=tuple(row for row in self.rows if wanted(row.series)))

    def draw(self, live=None, **axis):
        """Points with intervals, nulls in grey, `live` values on top: {series: value}, or {series: (places, values)}
        where the rows have places. What the figure shows is told by `text`."""
        claims, nulls = ([row for row in self.rows if row.null is null] for null in (False, True))
        if self.rows[0].at is None:
            plots.intervals(_points(claims), nulls=_points(nulls), live=live, alt=self.text(), xlabel=self.unit, **axis)
        else:
            plots.curves(_curves(claims), nulls=_curves(nulls), live=live, alt=self.text(), ylabel=self.unit, **axis)

    def text(self):
        """The evidence as a sentence, for those who cannot see the figure."""
        told = (f"{row.series}{'' if row.at is None else f' at {row.at}'} {row.value:.2g} ({row.low:.2g} to {row.high:.2g})"
                for row in self.rows)
        return f"{self.question} {self.unit}: {'; '.join(told)}. {self.interval}, n = {self.n()}."


def _points(rows):
    return {row.series: (row.value, row.low, row.high) for row in rows}


def _curves(rows):
    """{series: (places, values, lows, highs)}, in the order in which the rows stand."""
    series = {}
    for row in rows:
        for column, value in zip(series.setdefault(row.series, ([], [], [], [])), (row.at, row.value, row.low, row.high)):
            column.append(value)
    return series


def share(series, count, n, at=None, null=False):
    """The `Row` of a share, `count` of `n`, with its 95 % Wilson interval."""
    from scipy.stats import binomtest   # seconds to import, and no lesson needs it
    low, high = binomtest(count, n).proportion_ci(method="wilson")
    return Row(series, count / n, min(low, count / n), max(high, count / n), n, at, null)


def over_seeds(series, values, n, at=None, null=False):
    """The `Row` of the mean of values, one for each seed, with their range; `n` stand behind each of them."""
    return Row(series, sum(values) / len(values), min(values), max(values), n, at, null)


def names():
    """The evidence that is stored."""
    return sorted(path.stem for path in (files.root() / FOLDER).glob("*.json"))


def load(name):
    """The stored evidence `name`, such as "05-two-objects"; ValueError for one that is not there or not readable."""
    validate.one_of("name", name, names())
    path = files.root() / FOLDER / f"{name}.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Evidence(**stored | {"name": name, "rows": tuple(Row(**row) for row in stored["rows"])})
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path.name} cannot be read ({error}). {files.RESTORE}") from None


def write(name, question, unit, interval, rows, settings, weights):
    """Write data/evidence/NAME.json whole; `weights`: the files below data/ that the numbers hang on. Returns its path."""
    told = Evidence(name, question, unit, interval, tuple(rows), settings, {w: files.checksums()[w] for w in weights})
    content = {key: value for key, value in asdict(told).items() if key != "name"}
    return files.write(files.root() / FOLDER / f"{name}.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def stale(name):
    """Why stored evidence is no longer what its program would find: a list of reasons, empty where it stands."""
    stored, published = load(name), files.checksums()
    reasons = [f"other weights in {weights}" for weights, digest in stored.weights.items()
               if published.get(weights) != digest]
    program = files.root() / RECIPES / f"{name.replace('-', '_')}.py"
    if program.parent.is_dir() and not program.is_file():
        return [*reasons, "no program makes it"]
    if program.is_file() and json.loads(json.dumps(settings(program))) != stored.settings:
        reasons.append(f"other settings in {program.name}")
    return reasons


def settings(program):
    """The literal SETTINGS of an evidence program, read without running it."""
    for node in ast.parse(program.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", None) for target in node.targets] == ["SETTINGS"]:
            return ast.literal_eval(node.value)
    raise ValueError(f"{program.name} has no SETTINGS.")
