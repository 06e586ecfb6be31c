"""Environments of the peers, made on first use in benchmarks/.environments/.

Each is a venv with a few pinned packages that also sees those of this Python, so that torch and the
kernels are the same everywhere and nothing large is installed twice.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

FOLDER = Path(__file__).parent / ".environments"
PACKAGES = {
    "ray_data": ("pandas==3.1.1", "pillow==13.0.0"),
    "datasets": ("datasets==5.2.0", "pandas==3.1.1"),
    "daft": ("daft==0.7.26",),
    "lance": ("pylance==14.0.2", "pandas==3.1.1"),
    "decord": ("decord==0.6.0",),
    # The last whose package asks for no CUDA.
    "torchcodec": ("torchcodec==0.13.0",),
}
# Whatever a peer asks for, torch stays the project's.
PINNED = ("torch==2.13.0",)


def python(name: str) -> Path:
    """The interpreter of an environment; it is made if it is not there as described above."""
    folder = FOLDER / name
    wanted = "\n".join([sys.executable, *PACKAGES[name], *PINNED])
    made = folder / "made-of.txt"
    if not made.is_file() or made.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        (packages,) = folder.glob("lib/python*/site-packages")
        (packages / "project.pth").write_text(sysconfig.get_path("purelib") + "\n")
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *PACKAGES[name], *PINNED], check=True)
        made.write_text(wanted)
    return folder / "bin" / "python"
