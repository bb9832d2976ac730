"""Lessons in kernels: threads that wait for others leave the processor to those who work."""

import os
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from nbclient import NotebookClient

from lecturekit.course import lessons

WORK = """import time
import torch
image, network = torch.rand(1, 3, 128, 128), models.load("resnet_s")
started = time.process_time()
for _ in range(60):   # small pieces: threads wait often
    models.predict(network, image)
time.process_time() - started"""


def lesson(opening):
    """A lesson that consists of its first cell and of WORK."""
    cells = [nbformat.v4.new_code_cell(source) for source in (opening, WORK)]
    return nbformat.v4.new_notebook(cells=cells)


def processor_time(opening, threads):
    """The seconds that a kernel's processor worked for WORK, with so many threads."""
    unset = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    done = NotebookClient(lesson(opening), timeout=300).execute(env=unset | {"OMP_NUM_THREADS": str(threads)})
    return float(done.cells[-1].outputs[0].data["text/plain"])


@pytest.fixture(scope="module")
def opening():
    return next(cell.source for cell in lessons.read("01").cells if cell.cell_type == "code")


@pytest.mark.slow
def test_two_lessons_at_once_work_little_more_than_one_with_a_single_thread(opening):
    """A single thread has none to wait for. Where waiting threads spin, it was ten times as much."""
    alone = processor_time(opening, 1)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(processor_time, [opening] * 2, [2, 2]))
    assert max(both) < 5 * alone   # a busy machine takes some of it, too
