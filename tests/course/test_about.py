"""Which texts of a cell tagged `about` count as the stored one, and which do not."""

import about
import nbformat
import pytest

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("ours, stored, same", [
    ("errors in 60% of 48 views", "errors in 56% of 48 views", True),
    ("errors in 60% of 48 views", "errors in 30% of 48 views", False),
    ("0.1, 0.4", "0.2, 0.5", True), ("0.1, 0.4", "0.3, 0.4", False),
    ("11 of 18", "12 of 18", True), ("4 of 18", "9 of 18", False), ("standard 0.2", "robust 0.2", False),
    ("0.02", "0.03", True), ("0.02", "0.05", False), ("a 1", "a 1 2", False), ("mean  9.5", "mean 10.1", True),
    ("-0.20", "0.20", False)])
def test_alike(ours, stored, same):
    assert about.alike(ours, stored) == same


@pytest.mark.parametrize("tags, stored, passes", [(["about"], 12, True), ([], 12, False), (["about"], 20, False)])
def test_a_tagged_cell_alone_may_differ_a_little(pytester, tags, stored, passes):
    cell = nbformat.v4.new_code_cell("print('logit', 11)", execution_count=1, metadata={"tags": tags})
    cell.outputs = [nbformat.v4.new_output("stream", text=f"logit {stored}\n")]
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": {"name": "python3", "display_name": "3"}})
    nbformat.write(notebook, pytester.path / "lesson.ipynb")
    pytester.makeconftest("import about\n\ndef pytest_collection_modifyitems(items):\n    about.compare_tagged(items)")
    pytester.runpytest("--nbval", "lesson.ipynb").assert_outcomes(passed=passes, failed=not passes)
