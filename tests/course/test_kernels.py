"""Lessons in kernels: two at once take no more of the processor than one after the other."""

import os
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from nbclient import NotebookClient

from lecturekit.course import lessons

WORK = """import time
images = torch.rand(8, 3, 128, 128)
started = time.process_time()
for _ in range(12):
    models.predict(models.load("resnet_s"), images)
time.process_time() - started"""


def lesson(opening):
    """A lesson that consists of its first cell and of WORK."""
    cells = [nbformat.v4.new_code_cell(source) for source in (opening, WORK)]
    return nbformat.v4.new_notebook(cells=cells)


def processor_time(opening):
    """The seconds that a kernel's processor worked for WORK, with as many threads as there are processors."""
    threads = {"OMP_NUM_THREADS": str(max(2, os.cpu_count()))}
    unset = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    done = NotebookClient(lesson(opening), timeout=300).execute(env=unset | threads)
    return float(done.cells[-1].outputs[0].data["text/plain"])


def together(opening, number=2):
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(processor_time, [opening] * number))


@pytest.fixture(scope="module")
def opening():
    return next(cell.source for cell in lessons.read("01").cells if cell.cell_type == "code")


def test_two_lessons_at_once_work_about_as_much_as_each_alone(opening):
    alone, both = processor_time(opening), together(opening)
    assert max(both) < 2 * alone
