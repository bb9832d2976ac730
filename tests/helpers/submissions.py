"""Submissions to lesson 3 for the tests: the right answers, the source of each planted mistake, notebooks with them."""

import copy
import json

from lecturekit.course import lessons, student

HONEST = {
    "03.1": """
def spans(length, window, stride):
    starts = [0]
    while starts[-1] + window < length:
        starts.append(starts[-1] + stride)
    return [(start, min(start + window, length)) for start in starts]
""",
    "03.2": """
def hidden_squares(model, image, target, window, stride, fill):
    whole, falls, (total, count) = model(image)[0, target], [], torch.zeros(2, *image.shape[2:])
    for top, bottom in attribution.spans(image.shape[2], window, stride):
        for left, right in attribution.spans(image.shape[3], window, stride):
            hidden, square = image.clone(), (..., slice(top, bottom), slice(left, right))
            hidden[square] = fill
            falls.append((whole - model(hidden)[0, target], square))
            total[square] += falls[-1][0]
            count[square] += 1
    hidden, curve = image.clone(), []
    for fall, square in sorted(falls, key=lambda pair: pair[0], reverse=True):
        hidden[square] = fill
        curve.append(model(hidden)[0, target])
    return total / count, torch.stack(curve)
""",
    "03.3": """
def map_scores(map, mask):
    positive = map.clamp(min=0)
    high = map >= map.flatten().topk(int(mask.sum())).values[-1]
    hit = mask.flatten()[map.argmax()].float()
    overlap = (high & mask).sum() / (high | mask).sum()
    return hit.item(), (positive[mask].sum() / positive.sum()).item(), overlap.item()
"""}

_OCCLUSION, _SCORES = HONEST["03.2"], HONEST["03.3"]
MISTAKES = {   # in the order of the questions' own mistakes
    "03.1": ["""
def spans(length, window, stride):
    return [(start, start + window) for start in range(0, length - window + 1, stride)]
""", """
def spans(length, window, stride):
    starts = [0]
    while starts[-1] + window < length:
        starts.append(starts[-1] + stride)
    return [(min(start + window, length) - window, min(start + window, length)) for start in starts]
""", """
def spans(length, window, stride):
    starts = [0]
    while starts[-1] + window < length:
        starts.append(starts[-1] + stride)
    return [(start, start + window) for start in starts]
""", """
def spans(length, window, stride):
    return [(start, min(start + window, length)) for start in range(0, length, stride)]
"""],
    "03.2": [_OCCLUSION.replace("total / count", "total"),
             _OCCLUSION.replace("whole - model(hidden)[0, target]", "model(hidden)[0, target] - whole"),
             _OCCLUSION.replace("] = fill", "] = 0.0"),
             _OCCLUSION.replace("whole - ", "")],
    "03.3": [_SCORES.replace("map.clamp(min=0)", "map.abs()"),
             _SCORES.replace("map.clamp(min=0)", "map"),
             _SCORES.replace("map.flatten().topk(int(mask.sum())).values[-1]", "map.max() / 2"),
             _SCORES.replace("(high | mask).sum()", "mask.sum()")]}


def submission(lesson="03", answers=None):
    """The student copy of a lesson as a dict, with `answers` {grade id: source} filled in; the rest stays blank."""
    notebook = json.loads(json.dumps(_student_copy(lesson)))
    for cell in notebook["cells"]:
        grade_id = lessons.identifier(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))
        if grade_id in (answers or {}):
            cell["source"] = answers[grade_id]
    return notebook


def write(folder, notebook, name="03_occlusion.ipynb"):
    """Write a notebook (a dict, or any bytes) to a folder; returns its path."""
    path = folder / name
    path.write_bytes(notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode())
    return path


def _student_copy(lesson, known={}):
    if lesson not in known:
        known[lesson] = copy.deepcopy(student.student_copy(lesson))
    return known[lesson]
