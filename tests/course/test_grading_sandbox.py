"""The sandbox: what an answer can see, reach and use up, from a fork of the server and from a plain process."""

import ast
import os
import socket
import subprocess
import textwrap
import time
from contextlib import closing

import psutil
import pytest
import torch

from lecturekit.course import questions
from lecturekit.course.grading import copies, plain, sandbox, seccomp, view, watch

ASKED = questions.question("03.1")
FEW = ["IPython", "torch"]
LIMITS = sandbox.Limits(wall=60, memory=1 << 30)   # the clock of a busy machine; tests of time have their own


@pytest.fixture(scope="module")
def box():
    """The sandbox that marks uses, with its fork server."""
    if why := sandbox.available():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    return sandbox.shared()


@pytest.fixture(scope="module", params=[True, False], ids=["fork server", "plain process"])
def inside(request, box):
    """`inside(body)` is what a student's function with that body returns, run in the sandbox."""
    if request.param:
        yield lambda body, limits=LIMITS: run(box, body, limits)
        return
    with closing(sandbox.Sandbox(fork_server=False)) as chosen, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "modules", lambda: FEW)   # each process loads them anew
        yield lambda body, limits=LIMITS: run(chosen, body, limits)


def run(box, body, limits=LIMITS, asked=ASKED):
    source = f"def {asked.function}(*arguments):\n" + textwrap.indent(textwrap.dedent(body), "    ")
    reply = box.run(asked, ["import torch"], source, [(1, 2, 3)], limits)
    frames = frames_of(reply["frames"])
    answers = [values[0] for _, values in frames if values]
    return answers[0] if answers else {**reply, "frames": [record for record, _ in frames]}


def frames_of(message):
    """The frames up to the first that is none: an answer may write what it likes."""
    frames = []
    try:
        for frame in plain.unpack(message):
            frames.append(frame)
    except ValueError:
        pass
    return frames


EVERYTHING = """
    import ctypes, os, socket
    found = {"pids": [int(name) for name in os.listdir("/proc") if name.isdigit()]}

    lines = open("/proc/self/status").read().splitlines()
    found["status"] = dict(line.split(":\\t") for line in lines if ":\\t" in line)
    found["environment"] = sorted(os.environ)
    found["root"] = sorted(os.listdir("/"))
    found["course"] = sorted(os.listdir("/course/lecturekit"))
    found["copies"] = os.listdir("/copies") if os.path.exists("/copies") else []
    found["interfaces"] = sorted(name for _, name in socket.if_nameindex())

    def refused(action):
        try:
            action()
            return ""
        except OSError as error:
            return type(error).__name__ + str(error.errno)

    places = ["/x", "/course/x", "/grader/x", "/usr/lib/x", "/dev/x", "/proc/sys/kernel/core_pattern",
              "/proc/sys/user/max_user_namespaces", "/proc/self/oom_score_adj", os.__file__]
    found["written"] = [place for place in places if not refused(lambda: open(place, "a").close())]
    found["read"] = [place for place in SECRETS if os.path.exists(place)]

    def reach(kind, address):
        with socket.socket(*kind) as one:
            one.settimeout(1)
            one.connect(address)

    tcp, local = (socket.AF_INET, socket.SOCK_STREAM), (socket.AF_UNIX, socket.SOCK_STREAM)
    found["reached"] = [str(place) for kind, place in [(tcp, ("192.0.2.1", 80)), (tcp, ("127.0.0.1", PORT)),
                        (local, chr(0) + "lecturekit-test")] if not refused(lambda: reach(kind, place))]
    libc = ctypes.CDLL(None)
    found["rights"] = [name for name, got in {
        "user namespace": libc.unshare(0x10000000), "mount namespace": libc.unshare(0x20000),
        "mount": libc.mount(b"proc", b"/tmp", b"proc", 0, None), "umount": libc.umount2(b"/course", 2),
        "chroot": libc.chroot(b"/tmp")}.items() if got == 0]
    return found
"""


@pytest.fixture(scope="module")
def seen(inside):
    """What an answer finds that looks for all that it should not."""
    secrets = [os.path.expanduser("~/.ssh"), str(copies.PACKAGE), str(copies.PACKAGE.parent / "notebooks"), "/home",
               "/etc/passwd", "/usr/bin", "/bin/sh", __file__, os.getcwd() + "/pyproject.toml"]
    with socket.socket() as server, socket.socket(socket.AF_UNIX) as local:
        server.bind(("127.0.0.1", 0)), server.listen()
        local.bind("\0lecturekit-test"), local.listen()
        body = EVERYTHING.replace("SECRETS", repr(secrets)).replace("PORT", str(server.getsockname()[1]))
        return inside(body)


def test_sees_no_process_but_its_own(seen):
    assert len(seen["pids"]) <= 3 and max(seen["pids"]) < 10


def test_has_no_rights_and_cannot_get_any(seen):
    status = seen["status"]
    assert all(int(status[name], 16) == 0 for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))
    assert status["NoNewPrivs"] == "1" and seen["rights"] == []


def test_sees_no_course_no_home_no_tests_and_no_programs(seen):
    assert seen["read"] == [] and "course" not in seen["course"] and "attribution" in seen["course"]
    assert seen["copies"] == [] and not {"home", "bin", "var", "mnt"} & set(seen["root"])


def test_writes_nowhere_but_to_its_own_tmp(seen):
    assert seen["written"] == []


def test_reaches_no_network_nor_this_machine(seen):
    assert seen["reached"] == [] and set(seen["interfaces"]) <= {"lo"}


def test_environment_is_our_own(seen):
    assert "PYTHONPATH" in seen["environment"] and not {"PATH", "USER", "CI"} & set(seen["environment"])


def test_memory(inside):
    held = inside("""
        held = []
        try:
            while len(held) < 100:
                held.append(bytearray(100 << 20))
        except MemoryError:
            return len(held)
    """)
    assert 1 <= held <= 12


FORKS = """
    import os, time
    for _ in range(3):
        if os.fork() == 0:
            held = bytearray(400 << 20)
            held[::4096] = bytes(len(held[::4096]))
            time.sleep(60)
            os._exit(0)
    time.sleep(60)
"""


def test_the_memory_of_all_processes_together_is_limited(inside):
    reply = inside(FORKS, sandbox.Limits(wall=60, memory=600 << 20))
    assert reply["ended"] == "memory" and reply["seconds"] < 60


def test_pages_that_forks_share_count_once(inside):
    assert inside("""
        import os, time
        held = bytearray(300 << 20)
        held[::4096] = bytes(len(held[::4096]))
        for _ in range(6):
            if os.fork() == 0:
                time.sleep(2)
                os._exit(0)
        time.sleep(1)
        return len(held)
    """, sandbox.Limits(wall=60, memory=900 << 20)) == 300 << 20


def test_memory_is_read_from_the_whole_family():
    program = "import os, time; os.fork(); held = bytearray(50 << 20); held[::4096] = bytes(12800); time.sleep(60)"
    with subprocess.Popen([sandbox.sys.executable, "-S", "-c", program]) as process:
        memory = watch.Memory(process.pid)
        while not memory.beyond(90 << 20):
            assert process.poll() is None
        assert len(watch.family(process.pid)) == 2
        for pid in reversed(watch.family(process.pid)):
            os.kill(int(pid), 9)


@pytest.fixture
def filtered():
    if not seccomp.program():
        pytest.skip("libseccomp is not installed")


CALLS = """
    import ctypes, os, socket
    libc = ctypes.CDLL(None, use_errno=True)
    def call(name, *arguments):
        result = getattr(libc, name)(*arguments)
        return ctypes.get_errno() if result == -1 else 0
    found = {"memfd": call("memfd_create", b"x", 0), "shm": call("shmget", 0, 1 << 20, 0o1600),
             "ptrace": call("ptrace", 0),
             "key": call("syscall", NUMBER, b"user", b"x", b"y", 1, ctypes.c_int(-3))}
    for name, family in (("vsock", 40), ("packet", 17), ("crypto", 38)):
        found[name] = call("socket", family, 3, 0)
    socket.socket(socket.AF_UNIX).close()
    return found
"""


def test_calls_that_no_answer_needs_are_denied(inside, filtered):
    number = {"x86_64": 248, "aarch64": 217}[os.uname().machine]   # add_key
    assert set(inside(CALLS.replace("NUMBER", str(number))).values()) == {1}   # EPERM


def test_each_answer_has_a_keyring_of_its_own(box, monkeypatch):
    """Where there is no filter: what one answer puts into its keyring the next does not find."""
    monkeypatch.setattr(seccomp, "program", lambda: b"")
    monkeypatch.setattr(sandbox, "modules", lambda: FEW)
    numbers = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
    unfiltered = sandbox.Sandbox()
    body = f"""
        import ctypes
        libc, (add, control) = ctypes.CDLL(None), {numbers}
        found = libc.syscall(control, 10, ctypes.c_int(-3), b"user", b"lecturekit", 0)   # search the session keyring
        added = libc.syscall(add, b"user", b"lecturekit", b"answer", 6, ctypes.c_int(-3))
        return found > 0, added > 0
    """
    assert [run(unfiltered, body) for _ in range(2)] == [(False, True)] * 2
    unfiltered.close()


def test_no_fork_finds_the_answer_before_it_in_memory(box):
    """Neither in the fork server nor in the room: whatever is mapped is searched for what an earlier answer held."""
    run(box, "mark = 'the-answer-of-another-student'\nreturn 1")
    assert run(box, """
        mark = "-".join(["the", "answer", "of", "another", "student"]).encode()
        found = 0
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            for line in open("/proc/self/maps"):
                span, rights = line.split()[:2]
                start, stop = (int(end, 16) for end in span.split("-"))
                if "rw" in rights and stop < 1 << 48:
                    memory.seek(start)
                    try:
                        found += memory.read(stop - start).count(mark)
                    except OSError:
                        pass
        return found <= 1   # the one that was just put together
    """, LIMITS)


def test_shared_memory(box):
    assert "memory" in run(box, """
        import mmap
        held = []
        try:
            while len(held) < 100:
                held.append(mmap.mmap(-1, 100 << 20))
        except (OSError, MemoryError) as error:
            return str(error)
    """)


def test_disk_and_files_are_capped(inside):
    full, large = inside("""
        import os
        def fill(sizes, name):
            try:
                for number, size in enumerate(sizes):
                    with open(f"{name}{number}", "wb") as file:
                        file.write(bytes(size))
            except OSError as error:
                return error.errno
        large = fill([40 << 20], "/tmp/large")
        os.remove("/tmp/large0")
        return fill([8 << 20] * 200, "/dev/shm/many"), large
    """)
    assert (full, large) == (28, 27)   # no space left, file too large


def test_nothing_stays_for_the_next_question(box):
    run(box, "open('/tmp/left', 'w').write('x'); return 1")
    assert run(box, "import os; return os.listdir('/tmp') + os.listdir('/dev/shm')") == []


def test_nobody_listens_for_the_next_question(box):
    """What one answer opens on the sandbox's own network, also in a process that it leaves behind, ends with it."""
    run(box, """
        import os, socket, time
        held = [socket.create_server(("127.0.0.1", 4711)), socket.socket(socket.AF_UNIX)]
        held[1].bind(chr(0) + "left")
        held[1].listen()
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
        return 1
    """)
    assert run(box, """
        import socket
        found = []
        for family, address in ((socket.AF_INET, ("127.0.0.1", 4711)), (socket.AF_UNIX, chr(0) + "left")):
            with socket.socket(family) as one:
                found.append(one.connect_ex(address))
        return found
    """) == [111, 111]   # connection refused


def test_processes(box):
    """As root too: then the answer runs as another user, for whom the kernel counts."""
    started = run(box, """
        import os, time
        for count in range(200):
            try:
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
            except OSError:
                return count
    """)
    assert 0 < started < LIMITS.processes


def test_time(inside):
    reply = inside("""
        import signal, time
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True:
            time.sleep(1)
    """, sandbox.Limits(wall=1))
    assert reply["ended"] == "time" and {"done": True} not in reply["frames"]


def test_cpu_time(box):
    reply = run(box, "while True: pass", sandbox.Limits(wall=60, cpu=1))
    assert reply["ended"] == "" and reply["code"] == 137   # killed by the kernel, long before the wall clock


def test_output_is_counted_and_dropped(box):
    reply = box.run(ASKED, [], "def spans(*a):\n    print('x' * (5 << 20))\n    return 1", [(1,)], LIMITS)
    assert 5 << 20 <= reply["output"] < 6 << 20 and b"xxx" not in reply["frames"]


def test_a_flood_of_answers_is_cut_off(box):
    reply = run(box, """
        import os
        while True:
            for number in range(3, 30):
                try:
                    os.write(number, bytes(1 << 20))
                except OSError:
                    pass
    """, sandbox.Limits(wall=60, answer=4 << 20))
    assert reply["ended"] == "answer"


def test_background_processes_are_dead_afterwards(box):
    mark = "lecturekit-left-behind"
    assert run(box, f"""
        import ctypes, os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for descriptor in range(30):
                    try:
                        os.close(descriptor)
                    except OSError:
                        pass
                ctypes.CDLL(None).prctl(15, b"{mark[:15]}", 0, 0, 0)
                time.sleep(600)
            os._exit(0)
        time.sleep(0.5)
        return 1
    """) == 1
    assert not any(process.name() == mark[:15] for process in psutil.process_iter())


def test_the_server_survives_what_kills_an_answer(box):
    for body in ("import os; os.kill(os.getpid(), 9)", "import os; os.kill(-1, 9)", "import os; os._exit(3)",
                 "import ctypes; ctypes.string_at(0)"):
        run(box, body)
    server = box.server.pid
    assert run(box, "return 1") == 1 and box.server.pid == server


def test_a_killed_server_is_started_again(box):
    run(box, "return 1")
    box.server.kill()
    assert run(box, "return 2") == 2


def test_the_copy_of_lecturekit_has_neither_the_reference_nor_what_is_forbidden(box):
    told = run(box, """
        from lecturekit import attribution
        import inspect
        import sys
        module = sys.modules["lecturekit.attribution.perturbation"]
        text = inspect.getsource(module) + open(module.__file__).read()
        try:
            attribution.spans(10, 3, 2)
        except RuntimeError as error:
            return str(error), "def spans" in text, "min(start + window, length)" in text
    """)
    assert told == ("attribution.perturbation.spans is not there: write it yourself", True, False)
    assert run(box, "from lecturekit import attribution\nreturn attribution.spans(10, 3, 2)[0]",
               asked=questions.question("03.2")) == (0, 3)   # where it is not the question


@pytest.mark.parametrize("asked", questions.questions(), ids=lambda asked: asked.id)
def test_every_forbidden_function_of_the_package_is_hollow(asked, tmp_path):
    copies.make(asked, tmp_path / asked.id)
    copied = tmp_path / asked.id / "lecturekit"
    for path in copied.rglob("*.py"):
        assert "lecturekit.course" not in path.read_text()
        original = {node.name: node for node in functions(copies.PACKAGE / path.relative_to(copied)) if node.name in asked.forbidden}
        for node in functions(path):
            assert node.name not in original or "write it yourself" in ast.unparse(node)
    owner, name = copies.reference_name(asked) or (None, None)
    assert owner is None or any(node.name == name and "write it yourself" in ast.unparse(node)
                                for node in functions(copied.joinpath(*owner.split(".")).with_suffix(".py")))


def functions(path):
    return [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]


def test_answers_are_the_same_with_and_without_a_fork_server(inside):
    answer = inside("""
        import numpy, random
        plain = [1, 2.5, True, None, "text"]
        return torch.ones(2, 3) / 3, numpy.arange(3), plain, {"a": (1,)}, torch.rand(2), random.random()
    """)
    assert answer[0].shape == (2, 3) and answer[1].tolist() == [0, 1, 2] and answer[2] == [1, 2.5, True, None, "text"]
    assert answer[3] == {"a": (1,)} and abs(float(answer[4][0]) - 0.4963) < 1e-3 and abs(answer[5] - 0.8444) < 1e-3


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder below the temporary one, with a module in it, that counts as one of the installed packages."""
    folder = tmp_path / "ünï cödé" / "a b"
    folder.mkdir(parents=True)
    (folder / "imported_late.py").write_text("VALUE = 3")
    known = view.packages()
    monkeypatch.setattr(view, "packages", lambda: {**known, str(folder): None})


@pytest.mark.parametrize("fork_server", [True, False])
def test_packages_in_any_folder_can_be_imported_late(box, elsewhere, fork_server, monkeypatch):
    """A virtual environment below /tmp: the sandbox's own empty /tmp must not stand before it."""
    monkeypatch.setattr(sandbox, "modules", lambda: FEW)
    with closing(sandbox.Sandbox(fork_server)) as own:
        value, temporary = run(own, "import imported_late, os\nreturn imported_late.VALUE, os.listdir('/tmp')")
        assert value == 3 and not [name for name in temporary if name != ".ipython"]
        assert own.fork_server == fork_server


def test_no_path_of_the_machine_is_told(inside):
    told = inside("import os, sys, torch\n"
                  "return [torch.__file__, os.__file__, sys.executable, *sys.path, *os.environ.values()]")
    home = str(copies.PACKAGE.parent)
    assert not any(home in path or "/.venv" in path for path in told)
    roots = ("/python", "/environment", "/usr", "/course", "/grader", "/tmp", "/elsewhere")
    assert all(path.startswith(roots) for path in told if path.startswith("/"))


def test_an_installed_package_with_its_references_is_hidden(box, tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "lecturekit"
    package.mkdir(parents=True)
    (package / "attribution.py").write_text("reference")
    monkeypatch.setattr(view, "packages", lambda: [str(package.parent)])
    seen = view.inside(package)
    look = f"import os; print(os.listdir({seen!r}), os.access({seen!r}, os.W_OK))"
    told = subprocess.run([*view.plain(1 << 20), "-I", "-S", "-c", look], capture_output=True, text=True)
    assert told.stdout == "[] False\n", told.stderr


def test_trusted_submissions_run_without_the_sandbox(monkeypatch):
    monkeypatch.setattr(sandbox, "modules", lambda: FEW)
    box = sandbox.Sandbox(trusted=True)
    assert run(box, "import os\nreturn os.getpid() > 10 and os.path.exists('/usr/bin'), arguments") == (True, (1, 2, 3))
    box.close()


def test_a_sandbox_that_cannot_start_is_our_own_error(monkeypatch):
    monkeypatch.setattr(view, "plain", lambda *arguments: ["/bin/false"])
    box = sandbox.Sandbox(fork_server=False)
    with pytest.raises(RuntimeError, match="could not start"):
        run(box, "return 1")
    box.close()


def test_without_bubblewrap_the_reason_is_told(monkeypatch):
    sandbox.available.cache_clear()
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    assert "not installed" in sandbox.available()
    sandbox.available.cache_clear()


def test_what_is_not_plain_data_is_named():
    values = [object(), torch.ones(2, dtype=torch.complex64), [1] * 200_000, {1, 2}]
    for (_, (value,)) in plain.unpack(b"".join(plain.pack({}, [value]) for value in values)):
        assert "NotPlain" in repr(value)


@pytest.mark.parametrize("message", [b"x", b"\x00" * 8, plain.pack({}, [1])[:-1], plain.HEAD.pack(5, 0) + b"[1,2]",
                                     plain.HEAD.pack(2, 9) + b"{}" + b"\xff" * 9,
                                     plain.HEAD.pack(24, 0) + b'{"values":[["tensor",1]]'.ljust(24)])
def test_bytes_that_are_no_answers_are_refused(message):
    with pytest.raises(ValueError, match="message: got"):
        list(plain.unpack(message))


def test_a_huge_answer_is_refused_before_it_is_written():
    started = time.monotonic()
    (_, (value,)), = plain.unpack(plain.pack({}, [torch.ones(1).expand(1 << 40)], limit=1 << 20))
    assert "more numbers" in value.what and time.monotonic() - started < 10
