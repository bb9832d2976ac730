"""A lesson as a lecture: of each topic its question, its largest pictures, and what they show as a fragment. No code.

It takes what `deck` has cut for the full deck, and leaves most of it to the notes.
"""

import re

from lecturekit.course import deck
from lecturekit.course.deck import Slide

LEAST, MOST = 25, 35             # slides of a lecture
LEFT_OUT = re.compile(r"Exercise|References")
ANSWERS = re.compile(r"\*The answer to .*?(?=\n\n|$)", re.S)   # of an exercise: not shown in class
PREDICT = re.compile(r"\*(?:Predict|Write down)[^*]{15,}\*(?:\s*\([^)]*\))?|\*?Predict(?: first)?:\*? [^?]*\?")
SENTENCES = 2                    # of a reading that are shown; all of it stands in the notes
LONGEST = 260                    # characters of what is shown
MINUTES = {"question": 1.5, "picture": 2.5, "live": 4, "end": 3}


def sections(notebook, stubs, name):
    """The lecture's slides: a list for each topic, MOST at most in all."""
    topics = _topics(deck.sections(notebook, stubs, name))
    found = [_opening(slides) if slides[0].opening else _topic(slides) for slides in topics]
    return _timed(_fitting([topic for topic in found if topic]))


def _topics(full):
    """The slides of the full deck by topic, in the order in which the topics begin."""
    topics = {}
    for slide in (slide for section in full for slide in section):
        if not LEFT_OUT.match(slide.title):
            topics.setdefault(slide.title, []).append(slide)
    return list(topics.values())


def _opening(slides):
    return [slide for slide in slides if slide.text and not slide.code][:2]


def _topic(slides):
    """A topic's question and its pictures, each with the prediction before it and what it shows behind it."""
    made, predict = [], ""
    pictures = _pictures(slides)
    for number, slide in enumerate(slides):
        if slide.text and not slide.figure and not slide.printed:
            asked = PREDICT.search(slide.text)
            predict = asked[0] if asked and pictures else predict
            rest = PREDICT.sub("", slide.text).strip() if pictures else slide.text
            if rest and not made:
                made.append(Slide(slide.title, text=rest, live=slide.live, notes=list(slide.notes)))
        elif slide.figure and id(slide.figure) in pictures:
            made.append(_picture(slide.title, predict, *pictures.pop(id(slide.figure))))
            predict = ""
    _keep_live(slides, made)
    return made


def _keep_live(slides, made):
    """The sliders of a topic, on its last slide where that which they stood on was left out."""
    lost = [slide for slide in slides if slide.live and slide.live not in [shown.live for shown in made]]
    if made and lost:
        made[-1].live = lost[0].live
        made[-1].notes += [note for note in lost[0].notes if note.startswith("Live: run")]


def _pictures(slides):
    """{id of a figure: (it, what reads it, notes, the cell of its sliders)} of a topic."""
    found = {}
    for slide in slides:
        if slide.figure:
            _, text, notes, live = found.get(id(slide.figure), (None, "", [], ""))
            text = f"{text} {ANSWERS.sub('', slide.text)}".strip()
            found[id(slide.figure)] = slide.figure, text, [*notes, *slide.notes], live or slide.live
    return found


def _picture(title, predict, figure, reading, notes, live):
    shown = _shortened(reading)
    told = [f"Shows: {reading}"] if reading != shown else []
    beside, _ = deck.beside(figure, f"{predict}\n\n{shown}")
    notes = list(dict.fromkeys(note for note in [*told, *notes] if not note.startswith("What the picture")))
    return Slide(title, text=predict, figure=figure, later=bool(predict), reveal=shown,
                 beside=beside, live=live, notes=notes)


def _shortened(reading):
    """The first sentences of a reading, as many as may be shown."""
    kept = ""
    for sentence in deck.SENTENCES.split(" ".join(reading.split()))[:SENTENCES]:
        if kept and len(kept) + len(sentence) > LONGEST:
            break
        kept = f"{kept} {sentence}".strip()
    return kept


def _fitting(topics):
    """The topics without their smallest later pictures, until MOST slides are left."""
    while sum(map(len, topics)) > MOST:
        spare = [(slide.figure.width * slide.figure.height, topic, slide) for topic in topics for slide in topic
                 if slide.figure and sum(bool(other.figure) for other in topic) > 1]
        if not spare:
            break
        _, topic, slide = min(spare, key=lambda found: found[0])
        topic[:] = [other for other in topic if other is not slide]
    return topics


def _timed(topics):
    """Each slide with a note of its minutes and of those that have gone by then."""
    gone = 0.0
    for topic in topics:
        for slide in topic:
            kind = "live" if slide.live else "picture" if slide.figure else "end" if topic is topics[-1] else "question"
            slide.notes.insert(0, f"About {MINUTES[kind]:g} minutes, from minute {round(gone)}.")
            gone += MINUTES[kind]
    return topics
