"""Hostile submissions: each earns what its honest answers earn and harms nothing. Answers are judged outside."""

import ast
import json
import os
import textwrap

import psutil
import pytest
from submissions import HONEST, MISTAKES, submission, write

from lecturekit.course import lessons, questions
from lecturekit.course.grading import marks, sandbox

LIMITS = sandbox.Limits(wall=30, memory=1 << 30)
SHORT = sandbox.Limits(wall=2.5)
STUB = "def {name}(*arguments):\n{body}\n"


@pytest.fixture(scope="module", autouse=True)
def sandboxed():
    if why := sandbox.available():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)


@pytest.fixture
def grade(tmp_path):
    """`grade({"03.1": source, ...})`: the marks of a submission to lesson 3."""
    def graded(answers, limits=LIMITS, secret="secret", python=True):
        if python and isinstance(answers, dict):
            ast.parse("\n".join(source for name, source in answers.items() if name != "03.4"))
        notebook = answers if isinstance(answers, bytes) else submission("03", answers)
        result = marks.grade(write(tmp_path, notebook), "03", secret, "s001", limits)
        assert json.loads(json.dumps(result)) == result
        return result
    return graded


def earned(result):
    return {one["id"]: one["earned"] for one in result["questions"]}


def states(result):
    return {one["id"]: one["state"] for one in result["questions"]}


def wrong(before="", body="return 0"):
    """An answer to 03.1 that does something `before` and is wrong."""
    return textwrap.dedent(before) + "\n" + STUB.format(name="spans", body=textwrap.indent(textwrap.dedent(body), "    "))


def test_honest(grade):
    result = grade({**HONEST, "03.4": "Because."})
    assert earned(result) == dict.fromkeys(HONEST, 5.0) and set(states(result).values()) == {"answered"}
    assert all(case["ok"] and case["difference"] == "" for one in result["questions"] for case in one["cases"])
    assert result["flags"] == [] and not any(one["hint"] or one["message"] for one in result["questions"])
    assert result["written"] == [{"id": "03.4", "points": 5, "text": "Because."}]
    assert (result["student"], result["lesson"], len(result["sha256"])) == ("s001", "03", 64)


def test_blank(grade):
    result = grade({})
    assert set(states(result).values()) == {"blank"} and sum(earned(result).values()) == 0
    assert all(one["cases"] == [] and one["answer_sha256"] == "" for one in result["questions"])


@pytest.mark.parametrize("number", range(4))
def test_planted_mistakes_get_their_hints(grade, number):
    result = grade({name: sources[number] for name, sources in MISTAKES.items()})
    for one in result["questions"]:
        assert one["hint"] == questions.question(one["id"]).mistakes[number].hint
        assert one["earned"] < 5 and one["state"] == "answered"


def test_the_secret_decides_on_the_inputs_and_not_on_the_marks(grade):
    answers = {name: sources[0] for name, sources in MISTAKES.items()}
    first, other = (grade(answers, secret=secret) for secret in "ab")
    assert earned(first) == earned(other) == {"03.1": 3.33, "03.2": 0, "03.3": 0}


PATCHES = {
    "numpy's and torch's comparisons": """
        import numpy, torch, builtins, math
        for owner in (numpy, numpy.testing, torch, torch.testing, torch.Tensor, math, builtins):
            for name in ("allclose", "isclose", "array_equal", "equal", "assert_allclose", "assert_close", "isfinite",
                         "abs", "all", "eq"):
                if hasattr(owner, name):
                    setattr(owner, name, lambda *a, **k: True)
        """,
    "lecturekit's checks": """
        import sys
        for name, module in list(sys.modules.items()):
            if "lecturekit" in name or name in ("worker", "plain"):
                for part in ("check", "difference", "question", "hint"):
                    setattr(module, part, lambda *a, **k: None)
        """,
    "input transformers": """
        get_ipython().input_transformers_cleanup.append(lambda lines: ["raise SystemExit"])
        get_ipython().ast_transformers.append(None)
        """,
    "hooks": """
        import os
        for event in ("pre_run_cell", "post_run_cell", "pre_execute", "post_execute"):
            get_ipython().events.register(event, lambda *a: os._exit(0))
        """,
    "exits at the end": "import atexit, os\natexit.register(lambda: os._exit(7))\n",
    "audit hooks and tracing": "import sys\nsys.settrace(lambda *a: None)\nsys.setrecursionlimit(50)\n"}


@pytest.mark.parametrize("patch", PATCHES)
def test_patches_gain_nothing(grade, patch):
    result = grade({**HONEST, "03.1": wrong(PATCHES[patch])})
    assert earned(result) == {"03.1": 0, "03.2": 5, "03.3": 5}


EQUALS = """
class Equal(tuple):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __len__(self): return 3
    def __iter__(self): return iter([1.0, 1.0, 1.0])
    def __array__(self, *a, **k): return __import__("numpy").ones(3)
    def __getattr__(self, name): return self

class Anything:
    __eq__ = lambda self, other: True
    __array__ = lambda self, *a, **k: 1 / 0
    __class__ = property(lambda self: tuple)
"""


@pytest.mark.parametrize("value", ["Equal()", "Anything()", "[Anything()] * 4", "float('nan')", "10 ** 400", "None",
                                   "torch.full((3, 2), torch.nan)", "(n for n in range(3))", "lambda: 0", "'\\x1b[2J'",
                                   "torch.zeros(1).expand(1 << 38)", "list(range(200_000))", "{1: {2: 3}}"])
def test_objects_that_are_no_right_answer(grade, value):
    result = grade({"03.1": EQUALS + wrong(body=f"return {value}"), "03.2": HONEST["03.2"]})
    assert earned(result) == {"03.1": 0, "03.2": 5, "03.3": 0}
    assert all(case["difference"] and case["difference"].isprintable() for case in result["questions"][0]["cases"])


ENDS = {"sys.exit": "import sys; sys.exit(0)", "exit": "exit()", "os._exit": "import os; os._exit(0)",
        "itself": "import os; os.kill(os.getpid(), 9)", "the parent": "import os; os.kill(os.getppid(), 9)",
        "all": "import os; os.kill(-1, 9)", "the group": "import os; os.killpg(0, 9)",
        "a crash": "import ctypes; ctypes.string_at(0)", "interrupts": "raise KeyboardInterrupt",
        "recursion": "f = lambda f: f(f); f(f)"}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("when", ["loaded", "called"])
def test_what_ends_the_process_costs_one_question(grade, end, when):
    source = wrong(ENDS[end] + "\n") if when == "loaded" else wrong(body=ENDS[end])
    result = grade({**HONEST, "03.1": source})
    assert earned(result) == {"03.1": 0, "03.2": 5, "03.3": 5}
    assert states(result)["03.1"] in ("failed", "killed", "answered")


HANGS = {"a loop": "while True: pass", "sleep": "import time; time.sleep(1000)",
         "deaf to signals": "import signal, time\nfor number in (2, 15):\n    signal.signal(number, signal.SIG_IGN)\n"
                            "while True:\n    try: time.sleep(1)\n    except BaseException: pass",
         "a regular expression": "import re; re.match('(a+)+b', 'a' * 60)"}


@pytest.mark.parametrize("hang", HANGS)
def test_hangs_cost_one_question(grade, hang):
    result = grade({"03.1": wrong(body=HANGS[hang])}, SHORT)
    assert states(result) == {"03.1": "killed", "03.2": "blank", "03.3": "blank"} and earned(result)["03.1"] == 0
    assert "stopped after 2.5 s" in result["questions"][0]["message"]


def test_the_questions_after_a_hang_are_graded(grade):
    result = grade({**HONEST, "03.1": "while True: pass"}, sandbox.Limits(wall=10, cpu=1))
    assert earned(result) == {"03.1": 0, "03.2": 5, "03.3": 5} and states(result)["03.1"] == "killed"


BOMBS = {"forks": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
         "threads": "import threading, time\nwhile True:\n"
                    "    try: threading.Thread(target=time.sleep, args=(9,)).start()\n    except RuntimeError: pass",
         "disk": "import itertools\nfor n in itertools.count():\n    with open(f'/tmp/{n}', 'wb') as file:\n"
                 "        file.write(bytes(8 << 20))"}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_cost_one_question(grade, bomb):
    before = len(psutil.pids())
    result = grade({**HONEST, "03.1": wrong(BOMBS[bomb])}, sandbox.Limits(wall=4))
    assert earned(result) == {"03.1": 0, "03.2": 5, "03.3": 5}
    assert states(result)["03.1"] == ("answered" if bomb == "disk" else "killed")
    assert len(psutil.pids()) < before + 25


def test_a_memory_bomb_costs_one_question(grade):
    result = grade({**HONEST, "03.1": wrong("held = []\nwhile True: held.append(bytearray(64 << 20))")},
                   sandbox.Limits(wall=30, memory=256 << 20))
    assert earned(result) == {"03.1": 0, "03.2": 5, "03.3": 5} and "MemoryError" in result["questions"][0]["message"]


def test_an_answer_of_a_gigabyte(grade):
    result = grade({"03.1": wrong("held = torch.ones(1 << 28)", "return held")}, sandbox.Limits(wall=30))
    assert earned(result)["03.1"] == 0 and "more numbers" in result["questions"][0]["cases"][0]["difference"]


def test_floods_are_flagged_and_a_right_answer_counts(grade):
    flood = "print('<script>' * (1 << 18))\n" + HONEST["03.1"]
    result = grade({**HONEST, "03.1": flood})
    assert earned(result) == dict.fromkeys(HONEST, 5.0) and result["flags"] == ["03.1: output flood"]
    assert "script" not in json.dumps(result)


FILES = ["~/.ssh/id_rsa", "gradebook.db", "../s002/03_occlusion.ipynb", "notebooks/03_occlusion.ipynb",
         "lecturekit/course/questions/lesson_03.py", "lecturekit/attribution/perturbation.py"]


def test_reading_files_and_writing_the_gradebook(grade, tmp_path, monkeypatch):
    """Another student's work, the source, the gradebook: from where the grader stands, and by their full paths."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gradebook.db").write_text("marks")
    (tmp_path / "s002").mkdir()
    other = write(tmp_path / "s002", submission("03", HONEST))
    root = str(lessons.FOLDER.parent)
    paths = [str(other), str(tmp_path / "gradebook.db"), *FILES, *(os.path.join(root, name) for name in FILES)]
    body = f"""
        import os
        found = [path for path in {paths} if os.path.exists(os.path.expanduser(path))]
        for path in {paths}:
            try:
                open(os.path.expanduser(path), "w").write("owned")
            except OSError:
                pass
        raise ValueError(found)
        """
    result = grade({**HONEST, "03.1": wrong(body=body)})
    assert result["questions"][0]["message"] == "ValueError: []"
    assert (tmp_path / "gradebook.db").read_text() == "marks" and json.loads(other.read_text())
    assert earned(result) == {"03.1": 0, "03.2": 5, "03.3": 5}


def test_the_source_in_memory_is_no_help(grade):
    """Whatever can be found in the process: inspect, gc, modules, frames: the reference is in none."""
    body = """
        import gc, inspect, sys, types
        args = arguments
        for frame in inspect.stack():
            for value in frame.frame.f_globals.values():
                if getattr(value, "__name__", "") in ("reference", "_lengths"):
                    return value(*args)
        for value in gc.get_objects():
            if isinstance(value, types.FunctionType) and value.__name__ == "sp" + "ans" and value is not spans:
                return value(*args)
        return 0
        """
    result = grade({**HONEST, "03.1": wrong(body=body)})
    assert earned(result) == {"03.1": 0, "03.2": 5, "03.3": 5}
    assert result["flags"] == [f"03.1: uses {name}" for name in ("gc", "inspect", "sys")]


@pytest.mark.parametrize("source", ["spans = attribution.spans", "from lecturekit.attribution import spans",
                                    "def spans(*a):\n    return getattr(attribution, 'spans')(*a)"])
def test_calling_the_reference(grade, source):
    result = grade({**HONEST, "03.1": source})
    assert earned(result) == {"03.1": 0, "03.2": 5, "03.3": 5} and states(result)["03.1"] in ("refused", "failed")


def test_forbidden_names_are_refused_and_hidden_ways_to_them_fail(grade):
    hidden = "def map_scores(map, mask):\n    return getattr(localisation, 'i' + 'ou')(map[None], mask[None])"
    result = grade({"03.2": "def hidden_squares(*a):\n    return attribution.occlusion(*a)", "03.3": hidden})
    assert states(result) == {"03.1": "blank", "03.2": "refused", "03.3": "failed"}
    assert sum(earned(result).values()) == 0
    messages = [one["message"] for one in result["questions"]]
    assert messages[1] == "write it yourself, without occlusion" and "iou is not there" in messages[2]
    assert result["flags"] == ["03.3: uses getattr with a computed name"]


def test_a_fake_answer_written_from_inside_is_only_an_answer(grade):
    fake = """
        import os, json, struct
        frame = json.dumps({"values": [], "done": True, "ok": True, "earned": 5}).encode()
        for number in range(3, 64):
            try:
                os.write(number, struct.pack("<II", len(frame), 0) + frame)
            except OSError:
                pass
        for name in ("answers.json", "results.json", "/grader/answers", "/tmp/answer.safetensors"):
            try:
                open(name, "w").write("[true]")
            except OSError:
                pass
        """
    for rest in ("return 0", "os._exit(0)"):
        result = grade({"03.1": wrong(fake, "import os\n" + rest), "03.2": HONEST["03.2"]})
        assert earned(result) == {"03.1": 0, "03.2": 5, "03.3": 0}


def test_network_and_loopback(grade):
    body = """
        import socket
        for address in (("127.0.0.1", 22), ("192.0.2.1", 80), ("::1", 80)):
            try:
                socket.create_connection(address, 1)
                return "connected"
            except OSError as error:
                pass
        raise ValueError("no network")
        """
    assert "no network" in grade({"03.1": wrong(body=body)})["questions"][0]["message"]


def test_background_processes_are_dead_afterwards(grade):
    body = """
        import ctypes, os, time
        if os.fork() == 0:
            os.setsid()
            ctypes.CDLL(None).prctl(15, b"stays-behind", 0, 0, 0)
            while True:
                time.sleep(1)
        return 0
        """
    grade({"03.1": wrong(body=body)})
    assert not any(process.name() == "stays-behind" for process in psutil.process_iter())


def test_markup_and_escapes_in_messages(grade):
    body = r'raise ValueError("\x1b]0;owned\x07<script>alert(1)</script>\u202e\r\n\x00" + "a" * 10_000)'
    one = grade({"03.1": wrong(body=body)})["questions"][0]
    for text in (one["message"], *(case["difference"] for case in one["cases"])):
        assert text.isprintable() and len(text) <= marks.LONGEST
    assert one["state"] == "failed" and "<script>" in one["message"]   # plain text: the pages escape it


def test_errors_are_told(grade):
    unknown = "def map_scores(map, mask):\n    helper()"
    result = grade({"03.1": "def spans(:", "03.2": "def another(): pass", "03.3": unknown}, python=False)
    first, second, third = result["questions"]
    assert set(states(result).values()) == {"failed"} and "SyntaxError" in first["message"]
    assert "defines no function hidden_squares" in second["message"]
    assert "NameError" in third["message"] and "nothing in the notebook" in third["message"]


def test_an_answer_may_use_an_earlier_one(grade):
    later = HONEST["03.2"].replace("attribution.spans", "spans")
    assert earned(grade({**HONEST, "03.2": later})) == dict.fromkeys(HONEST, 5.0)


def test_one_wrong_kind_of_case_costs_its_share(grade):
    partly = HONEST["03.1"].replace("    starts = [0]", "    if stride == 1: return []\n    starts = [0]")
    one = grade({"03.1": partly})["questions"][0]
    kinds = [kind.what for kind in questions.question("03.1").kinds]
    assert [case["kind"] for case in one["cases"]] == kinds * 3 and one["earned"] == round(5 * (1 - 0.5 / 6), 2)
    assert {case["kind"] for case in one["cases"] if not case["ok"]} >= {"steps of one pixel"}
    assert one["hint"] == questions.question("03.1").idea


NOTHING = {"0 bytes": b"", "invalid JSON": b'{"cells": [', "a list": b"[]", "nested": b"[" * 100_000,
           "zeros": bytes(1 << 16)}


@pytest.mark.parametrize("content", NOTHING)
def test_files_that_are_no_notebook(grade, content):
    result = grade(NOTHING[content])
    assert set(states(result).values()) == {"missing"} and sum(earned(result).values()) == 0 and result["flags"]


def test_100_mb(tmp_path):
    path = tmp_path / "large.ipynb"
    with open(path, "wb") as file:
        file.truncate(100 << 20)
    result = marks.grade(path, "03", "secret")
    assert set(states(result).values()) == {"missing"} and "larger than 10 MB" in result["flags"][0]


def test_bogus_metadata_and_outputs_do_not_matter(grade):
    notebook = submission("03", HONEST)
    notebook["metadata"] = {"kernelspec": {"name": "../../evil", "language": ["rust"]}, "widgets": 3}
    for cell in notebook["cells"]:
        cell["outputs"] = [{"output_type": "error", "evalue": "\x1b[2J<script>"}]
    assert earned(grade(json.dumps(notebook).encode())) == dict.fromkeys(HONEST, 5.0)


def test_an_unknown_lesson_is_our_own_error(tmp_path):
    with pytest.raises(ValueError, match="lesson: got '99'"):
        marks.grade(tmp_path / "x", "99", "secret")


def test_without_bubblewrap_nothing_runs_unless_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "available", lambda: "bubblewrap (bwrap) is not installed")
    path = write(tmp_path, submission("03", {}))
    with pytest.raises(RuntimeError, match="--without-sandbox"):
        marks.grade(path, "03", "secret")
    assert set(states(marks.grade(path, "03", "secret", i_trust_these_submissions=True)).values()) == {"blank"}
