"""The zoo: specifications of well-known architectures that come with the package, to start from."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from archdsl.diagnostics import ArchError, Diagnostic, suggest

_NETWORK = re.compile(r"^network\s+(\w+)", re.MULTILINE)
_IMPORT = re.compile(r'^from\s+"([^"\n]+)"', re.MULTILINE)


@dataclass(frozen=True)
class ZooFile:
    """A file of the zoo: its name without suffix, and its text."""

    name: str
    text: str

    @property
    def title(self) -> str:
        """The paragraph it opens with, a comment that names the paper."""
        lines = [line.removeprefix("#").strip() for line in self.text.splitlines()]
        return " ".join(lines[: lines.index("")] if "" in lines else lines[:1])

    @property
    def networks(self) -> tuple[str, ...]:
        return tuple(_NETWORK.findall(self.text))

    @property
    def imports(self) -> tuple[str, ...]:
        """The other files of the zoo that it needs beside it."""
        return tuple(dict.fromkeys(_IMPORT.findall(self.text)))


def find_zoo() -> Path:
    """Where the zoo lies: in an installed package, or in the repository's specs/."""
    package = Path(__file__).resolve().parent
    installed = package / "specs"
    return installed if installed.is_dir() else package.parent / "specs"


def zoo_files() -> Iterator[ZooFile]:
    """The files of the zoo, by name."""
    for path in sorted(find_zoo().glob("*.arch")):
        yield ZooFile(path.stem, path.read_text(encoding="utf-8"))


def find_in_zoo(name: str) -> ZooFile:
    """The file of that name, or the one with the network of that name."""
    files = list(zoo_files())
    wanted = name.removesuffix(".arch")
    for file in files:
        if file.name == wanted:
            return file
    for file in files:
        if wanted in file.networks:
            return file
    known = [word for file in files for word in (file.name, *file.networks)]
    meant = suggest(wanted, known)
    hint = f"did you mean {meant}?" if meant else "archdsl new lists what there is"
    raise ArchError([Diagnostic("unknown-network", f"the zoo has no {name}", help=hint)])


def list_zoo() -> str:
    """What the zoo holds: every file with its title and its networks."""
    files = list(zoo_files())
    width = max((len(file.name) for file in files), default=0)
    lines = []
    for file in files:
        margin = " " * (width + 2)
        for start, text in ((f"{file.name:<{width}}  ", file.title), (margin, _listed(file))):
            lines.append(textwrap.fill(text, 100, initial_indent=start, subsequent_indent=margin))
    return "\n".join(lines) + "\n"


def _listed(file: ZooFile) -> str:
    return ", ".join(file.networks)
