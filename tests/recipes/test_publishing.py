"""What recipes publish: whole files or none, in half precision, with their checksums and cards."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from lecturekit import files
from recipes import recipe

publishing = recipe("publishing")


@pytest.fixture
def data(tmp_path, monkeypatch):
    """An empty data/ of its own."""
    (tmp_path / "data/weights").mkdir(parents=True)
    monkeypatch.setenv("LECTUREKIT_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def part():
    """A network with batch norm, whose counter is not published, in the other memory layout."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)


def test_weights_are_published_in_half_precision_with_their_log_and_checksum(data, part, tmp_path):
    (tmp_path / "small.log").write_text('{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.25}\n')
    publishing.publish(part, "small", tmp_path)
    stored = load_file(files.verified("weights/small.safetensors"))
    assert stored.keys() == part.state_dict().keys() - {"1.num_batches_tracked"}
    assert all(value.dtype == torch.half and torch.equal(value, part.state_dict()[name].half())
               for name, value in stored.items())
    assert publishing.last_row("small") == {"epoch": 2, "loss": 0.25} and publishing.last_row("other") == {}


def test_a_part_without_a_log(data, part):
    publishing.publish(part, "small")
    assert sorted(path.name for path in data.rglob("*.*")) == ["small.safetensors"] and (data / "SHA256SUMS").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("no space left")])
def test_a_file_is_never_half_written(data, part, monkeypatch, error):
    publishing.publish(part, "small")
    before = (data / "weights/small.safetensors").read_bytes()

    write = Path.write_bytes

    def cut(path, content):
        write(path, content[:len(content) // 2])
        raise error

    monkeypatch.setattr(Path, "write_bytes", cut)
    with pytest.raises(type(error) if isinstance(error, OSError) else error):
        publishing.publish(nn.Linear(2, 2), "small")
    assert (data / "weights/small.safetensors").read_bytes() == before and files.verified("weights/small.safetensors")
    assert {path.name for path in data.rglob("*") if path.is_file()} == {"small.safetensors", "SHA256SUMS"}


def test_card(data, part):
    publishing.publish(part, "small")
    about = publishing.described(nn.Flatten, "networks/nets", part)
    figures = publishing.table(["on", "right"], [["photos", "90.0%"], ["drawings", "80.0%"]])
    notes = {"Data": "word " * 60, "Recipe": "of phases:\n  - `one`\n  - `two`"}
    publishing.write_card("small", about, [figures, "Shares."], notes, publishing.ROOT / "data/recipes/publishing.py")
    text = (data / "weights/small.md").read_text()
    assert text.startswith("# small\n\nFlattens") and "128 stored numbers" in text
    assert "| on | right |\n| --- | --- |\n| photos | 90.0% |\n| drawings | 80.0% |\n\nShares.\n\n- **Data**" in text
    digest = files.checksums()["weights/small.safetensors"]
    assert f"- **Recipe** of phases:\n  - `one`\n  - `two`\n- **sha256** `{digest}`\n" in text
    assert text.endswith("Written by `data/recipes/publishing.py`.\n")
    data_note = text.split("- **Data** ")[1].split("- **Recipe**")[0]
    assert data_note.split() == ["word"] * 60 and max(map(len, text.splitlines())) <= publishing.WIDTH
