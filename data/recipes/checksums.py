"""Write data/SHA256SUMS for the weights and the rendered pictures; `sha256sum --check SHA256SUMS` verifies it too."""

from lecturekit import files

FOLDERS = ("tabletop", "weights")


def published():
    """The files that the checksums cover, as paths relative to data/."""
    return sorted(path.relative_to(files.root()).as_posix() for folder in FOLDERS
                  for path in (files.root() / folder).rglob("*") if path.is_file() and not path.name.startswith("."))


if __name__ == "__main__":
    lines = [f"{files.sha256(files.root() / name)}  {name}\n" for name in published()]
    (files.root() / files.SUMS).write_text("".join(lines), newline="\n")
