"""Write data/SHA256SUMS for the weights, the rendered pictures and the styles; `sha256sum --check SHA256SUMS` verifies it too."""

from lecturekit import files

PATTERNS = ("styles/*.jpg", "tabletop/*.tar", "weights/*.safetensors")


def published():
    """The files that the checksums cover, as paths relative to data/."""
    return sorted(path.relative_to(files.root()).as_posix() for pattern in PATTERNS for path in files.root().glob(pattern))


if __name__ == "__main__":
    lines = [f"{files.sha256(files.root() / name)}  {name}\n" for name in published()]
    (files.root() / files.SUMS).write_text("".join(lines), newline="\n")
