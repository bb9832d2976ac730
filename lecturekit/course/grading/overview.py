"""What the results of a class say together: each student's row, each question's difficulty, what deserves a look."""

from collections import Counter, defaultdict
from statistics import mean, median

FULL, PARTLY, NONE = "full marks", "some points", "no points"
OUTCOMES = (FULL, PARTLY, NONE, "blank", "missing", "failed", "killed", "refused")


PERSON = ("student", "name", "email", "section", "person", "lms", "number", "place", "received", "late", "percent",
          "changed")


def rows(marked, columns, points):
    """A row for each result (of counting): points by question from the gradebook, None where they wait for the teacher,
    and their sum, less what being late costs."""
    return [_row(result, columns, points.get(result["student"], {})) for result in marked]


def _row(result, columns, own):
    handed_in = bool(result["sha256"])
    scores = {column: own.get(column, own.get(f"{column}-check", 0)) if handed_in else 0 for column in columns}
    return {name: result[name] for name in PERSON} | {
        "handed_in": handed_in, "points": scores, "flags": result["flags"], "max": sum(columns.values()),
        "total": round(sum(filter(None, scores.values())) * (1 - result["percent"] / 100), 2),
        "waiting": [column for column, score in scores.items() if score is None]}


def of_class(marked, rows, columns):
    """What the teacher's page shows beside the rows."""
    totals = [row["total"] for row in rows if row["handed_in"]]
    handed_in = [result for result in marked if result["sha256"]]
    return {"figures": {"mean": mean(totals or [0]), "median": median(totals or [0]), "handed_in": len(totals),
                        "waiting": sum(bool(row["waiting"]) for row in rows),
                        "seconds": mean([result["seconds"] for result in handed_in] or [0])},
            "questions": sorted(difficulty(handed_in), key=lambda question: question["share"]),
            "flagged": flagged(marked), "alike": alike(handed_in), "files": same_files(handed_in),
            "changed": [(result["student"], result["changed"]) for result in marked if result["changed"]],
            "missing": [row["student"] for row in rows if not row["handed_in"]],
            "sections": sections(rows), "slow": slow(handed_in), "look": look(marked)}


def look(marked):
    """[(student, reasons)]: whom to look at first, by how much there is to look at. That words wait is none: most do."""
    reasons = {result["student"]: [*result["flags"], *_lost(result)] for result in marked}
    return sorted(((student, own) for student, own in reasons.items() if own), key=lambda pair: (-len(pair[1]), pair[0]))


def _lost(result):
    """The questions of which nothing came back, though something was written."""
    return [f"{q['id']}: {q['state']}, {q['message']}" for q in result["questions"]
            if q["state"] in ("failed", "killed", "refused", "missing") and result["sha256"]
            and q["message"] not in result["flags"]]


def sections(rows):
    """[(section, how many handed in, of how many, their median)], where there are several."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["section"]].append(row)
    totals = {name: [row["total"] for row in own if row["handed_in"]] for name, own in groups.items()}
    return [(name, len(totals[name]), len(own), median(totals[name] or [0])) for name, own in sorted(groups.items())
            ] if len(groups) > 1 else []


def slow(handed_in):
    """[(student, seconds)] of the five that took longest to grade."""
    found = sorted(((result["student"], result["seconds"]) for result in handed_in), key=lambda pair: -pair[1])
    return found[:5]


def difficulty(handed_in):
    """For each question: the share of points earned, how many students had which outcome, the commonest hints."""
    by_question = defaultdict(list)
    for result in handed_in:
        for question in result["questions"]:
            by_question[question["id"]].append(question)
    return [{"id": name, "share": mean(q["earned"] / q["points"] for q in answers), "count": len(answers),
             "outcomes": _counted(outcome(q) for q in answers),
             "hints": Counter(q["hint"] for q in answers if q["hint"]).most_common(3)}
            for name, answers in by_question.items()]


def outcome(question):
    """How a question went: its state, or for an answer how much of the points it earned."""
    if question["state"] != "answered":
        return question["state"]
    return FULL if question["earned"] >= question["points"] else PARTLY if question["earned"] > 0 else NONE


def _counted(outcomes):
    counts = Counter(outcomes)
    return [(name, counts[name]) for name in OUTCOMES if counts[name]]


def flagged(marked):
    """[(flag, its students)], the rarest first."""
    return _groups((flag, result["student"]) for result in marked for flag in set(result["flags"]))


def alike(handed_in):
    """Groups of students with the same answers, by the hash of their normalised source.

    The more of these are wrong the earlier in the list, for the right one is often written alike; then small groups.
    """
    verdicts = {(q["id"], q["answer_sha256"]): outcome(q) for result in handed_in for q in result["questions"]}
    groups = _groups(((q["id"], q["answer_sha256"]), result["student"])
                     for result in handed_in for q in result["questions"] if q["answer_sha256"])
    shared = defaultdict(list)
    for key, students in groups:
        if len(students) > 1:
            shared[tuple(students)].append((key[0], verdicts[key]))
    found = [{"students": list(students), "answers": sorted(answers)} for students, answers in shared.items()]
    return sorted(found, key=lambda g: (-sum(verdict != FULL for _, verdict in g["answers"]), len(g["students"])))


def by_kind(cases):
    """[(kind, how many cases, differences of the wrong ones)] in the order of the first case: points go by kind."""
    groups = defaultdict(list)
    for case in cases:
        groups[case["kind"]].append(case)
    return [(kind, len(own), [case["difference"] for case in own if not case["ok"]]) for kind, own in groups.items()]


def same_files(handed_in):
    """Groups that handed in the same file, byte by byte."""
    groups = _groups((result["sha256"], result["student"]) for result in handed_in)
    return [students for _, students in groups if len(students) > 1]


def _groups(pairs):
    groups = defaultdict(list)
    for key, student in pairs:
        groups[key].append(student)
    return sorted(((key, sorted(students)) for key, students in groups.items()), key=lambda g: (len(g[1]), g[0]))
