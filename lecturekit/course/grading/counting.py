"""What counts of each student: of several hand-ins the last or the best, less what being late costs."""

from datetime import datetime

from lecturekit.course import questions
from lecturekit.course.grading import folders
from lecturekit.course.grading.roster import Person


def students(found, records, troubles, how, lesson):
    """A dict for each student, by id: what counts, as marks.grade gives it, and who, when, how late, what else.

    Its keys beside those of marks.grade: name, email, section, person, lms, number, place; file, received, late (a
    text), percent (of the points lost); hand_ins, with points and which one counts; changed, the corrected marks.
    `sha256` is "" where nothing was handed in. `troubles` are the files that cannot be read now.
    """
    now = {student.id: student for student in found.students}
    raws = {student.raw for student in found.students}
    former = {name: _former(record) for name, record in records.items()
              if name not in now and record["raw"] not in raws}
    return [_counted(student, records.get(name, {"hand_ins": []})["hand_ins"], troubles.get(name, ""), how, lesson)
            for name, student in sorted((now | former).items())]


def _former(record):
    """A student of an earlier run, of whom there is nothing in this one's folder."""
    flag = "nothing in this folder: what was handed in before counts"
    person = Person("", record["raw"])
    return folders.Student(record["student"], person, record["raw"], place=record["place"], flags=(flag,))


def _counted(student, hand_ins, trouble, how, lesson):
    hand_ins = sorted(hand_ins, key=lambda one: _when(one).timestamp())
    lates = [how.rule.of(one["received"] and datetime.fromisoformat(one["received"]), one["late"]) for one in hand_ins]
    scores = [_score(one["result"], late.percent) for one, late in zip(hand_ins, lates)]
    which = _which(scores, lates, how.keep)
    one = hand_ins[which] if hand_ins else None
    result = one["result"] if one else nothing(lesson, "missing", trouble or "Nothing was handed in.")
    return result | _about(student) | {
        "sha256": one["sha256"] if one else "unreadable" if trouble else "",
        "file": one["file"] if one else "", "received": one["received"] if one else None,
        "late": lates[which].text if one else "", "percent": lates[which].percent if one else 0.0,
        "hand_ins": [{"received": each["received"], "seen": each["seen"], "points": score, "late": late.text,
                      "counts": each is one} for each, score, late in zip(hand_ins, scores, lates)],
        "changed": _changed(one) if one else [],
        "flags": [*result["flags"], *student.flags, *_flags(one, lates, scores, which, trouble, how.rule)]}


def _which(scores, lates, keep):
    """The place of the hand-in that counts, the last or the best; one that came too late only where all did."""
    return max(range(len(scores)), default=None,
               key=lambda place: (lates[place].percent < 100, scores[place] if keep == "best" else 0, place))


def _about(student):
    person = student.person
    return {"student": student.id, "name": person.name or student.raw, "email": person.email, "section": person.section,
            "person": person, "lms": student.lms, "number": student.number, "place": student.place}


def _flags(one, lates, scores, which, trouble, rule):
    """What the teacher should look at beside what the notebook itself gives rise to."""
    found = [trouble] if trouble else []
    if one and lates[which].text:
        found.append(lates[which].text)
    if one and rule.deadline and not one["received"] and not one["late"]:
        found.append("when it was handed in is not known")
    if which and max(scores[:which]) > scores[which]:
        found.append(f"an earlier hand-in earned more: {max(scores[:which]):g} instead of {scores[which]:g}")
    if one and lates[-1].percent == 100 > lates[which].percent:
        found.append("a later hand-in came too late to count")
    return found


def _when(hand_in):
    return datetime.fromisoformat(hand_in["received"] or hand_in["seen"])


def _score(result, percent):
    return round(sum(question["earned"] for question in result["questions"]) * (1 - percent / 100), 2)


def _changed(hand_in):
    """[{"question", "before", "after", "until"}] of the marks that were others before a question was corrected."""
    after = {question["id"]: question["earned"] for question in hand_in["result"]["questions"]}
    return [{"question": name, "before": earned, "after": after.get(name, 0), "until": note["until"]}
            for note in hand_in["earlier"] for name, earned in note["points"].items() if earned != after.get(name, 0)]


def nothing(lesson, state, message):
    """A result without points."""
    asked = [{"id": q.id, "points": q.points, "earned": 0, "state": state, "message": message, "hint": "", "cases": [],
              "answer_sha256": ""} for q in questions.questions(lesson)]
    return {"lesson": lesson, "seconds": 0.0, "questions": asked, "written": [], "flags": []}
