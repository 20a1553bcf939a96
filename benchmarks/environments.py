"""Virtual environments for what we are measured beside: made at first use, never system-wide."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path


def python(name: str, requirements: Sequence[str], chosen: Path | None) -> Path:
    """Return the Python of the environment that has just these packages; make it if it is not there.

    It stands below `chosen`, by default in the temporary directory.
    """
    place = (chosen or _default()) / name
    executable = (place / "bin" / "python").absolute()
    wanted, record = "\n".join(requirements), place / "requirements.txt"
    if not record.exists() or record.read_text(encoding="utf-8") != wanted:
        print(f"installing {', '.join(requirements)} into {place}", file=sys.stderr)
        venv.create(place, with_pip=True, clear=True)
        pip = [str(executable), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements], check=True)
        record.write_text(wanted, encoding="utf-8")  # last: an installation that was interrupted is made again
    return executable


def version(executable: Path, package: str) -> str:
    """Name a package of an environment, its version and its Python's."""
    script = f"import platform, importlib.metadata as m; print(m.version({package!r}), platform.python_version())"
    told = subprocess.run([str(executable), "-c", script], check=True, capture_output=True, text=True).stdout.split()
    return f"{package} {told[0]} (Python {told[1]})"


def _default() -> Path:
    place = Path(tempfile.gettempdir()) / f"scraper-benchmarks-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    if place.is_symlink() or place.stat().st_uid != os.getuid():
        raise SystemExit(f"{place} belongs to somebody else: name another directory with --venv")
    return place
