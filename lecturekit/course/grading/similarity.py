"""Answers that are written alike, across the class and to the published solution: for a person to see, never a mark.

Copydetect renames every variable and function to one letter, drops comments and spacing, and takes winnowed fingerprints
of what is left (Schleimer, Wilkerson and Aiken, "Winnowing", SIGMOD 2003, as in MOSS); compared is which share of them two
answers have in common. A short right answer is often written alike, so each pair stands beside what is usual in the class.
"""

import io
from itertools import combinations
from statistics import median

from lecturekit.course import lessons, questions

LENGTH, WINDOW = 12, 3     # letters of a fingerprint after renaming, and how many it is chosen from
SHORTEST = 60              # letters of an answer, renamed, that says anything
ALIKE = 0.8                # share from which a pair is listed
MOST = 40                  # pairs on the page
SOLUTION = "the published solution"


def pairs(answers, lesson):
    """{"usual": share or None, "pairs": [...], "count"}: the pairs most alike first, at most MOST of `count`.

    `answers` is {student: {question id: source}}. A pair is {"students": (a, b), "share": 0 to 1, "questions": {id:
    share}, "sources": {id: (a's, b's)}}; the share is that of their answers to the same questions, by their letters.
    """
    known = {SOLUTION: _solution(lesson)} | answers
    prints = {name: _fingerprints(own, lesson) for name, own in known.items()}
    compared = [(a, b, _shares(prints[a], prints[b])) for a, b in combinations(prints, 2)]
    compared = [(a, b, shares, _overall(shares)) for a, b, shares in compared if shares]
    listed = [one for one in compared if one[3] >= ALIKE]
    listed.sort(key=lambda one: (-one[3], one[0] != SOLUTION, one[:2]))
    found = [{"students": (a, b), "share": share, "questions": {name: value for name, (value, _) in shares.items()},
              "sources": {name: (known[a][name], known[b][name]) for name in shares}}
             for a, b, shares, share in listed[:MOST]]
    own = [share for a, _, _, share in compared if a != SOLUTION]
    return {"usual": median(own) if own else None, "pairs": found, "count": len(listed)}


def _solution(lesson):
    """{question id: the source in the lesson itself}."""
    return {lessons.identifier(cell.metadata.nbgrader.grade_id): cell.source for cell in lessons.read(lesson).cells
            if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")}


def _fingerprints(own, lesson):
    """{question id: (fingerprints, letters)} of the answers that are long enough, after renaming."""
    from copydetect import CodeFingerprint
    asked = [question.id for question in questions.questions(lesson) if own.get(question.id, "").strip()]
    found = {name: CodeFingerprint("answer.py", LENGTH, WINDOW, language="python", fp=io.StringIO(own[name]))
             for name in asked}
    return {name: (frozenset(map(int, one.hashes)), len(one.filtered_code)) for name, one in found.items()
            if len(one.filtered_code) >= SHORTEST and len(one.hashes)}


def _shares(first, second):
    """{question id: (share of the fingerprints that are in both answers, letters of both)}."""
    return {name: (2 * len(first[name][0] & second[name][0]) / (len(first[name][0]) + len(second[name][0])),
                   first[name][1] + second[name][1]) for name in first if name in second}


def _overall(shares):
    return sum(share * size for share, size in shares.values()) / sum(size for _, size in shares.values())
