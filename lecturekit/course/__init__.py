"""The course around the lessons: three views of one notebook, and the questions that are asked in it.

A question is defined once, in `questions`; `checks` asks it in the notebook, `grading` in a sandbox. `exercises` and
`student` (for classes), `slides` (with `deck`) and `execute` make the copies, the decks and the stored outputs; `doctor`
looks at the machine.
"""

__all__ = ["checks", "deck", "doctor", "execute", "exercises", "lessons", "progress", "slides", "student"]
