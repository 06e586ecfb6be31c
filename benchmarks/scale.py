"""What 10⁶ to 10⁹ samples cost, calculated, and what breaks on the way.

    python benchmarks/scale.py    print the tables of docs/scaling.md

A sample is a picture, a clip of 1.5 s and a short text, none shared, with two augmented views and
the four feature sets that the default models read. Constants marked M were measured on one core of
a shared x86-64 machine with Python 3.11, DVC 3.67.1 and Ray 2.60.0 (scale_measured.py takes them
anew), L are read off dvc.lock and the encoders' COST_MS, A are assumptions. Everything else
follows, extrapolated linearly but for the comparing of pictures, which is quadratic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

SIZES = (10**6, 10**7, 10**8, 10**9)  # samples

# -- the data --------------------------------------------------------------------------------------
BATCH = 100_000  # A samples a batch
RAW_BYTES = 20_900  # L mean raw file of the stamps, taken for the picture and for the clip
RAW_SAMPLE = 2 * RAW_BYTES + 100  # A text of 100 bytes
VIEWS = 3  # the asset itself and two augmented views
DIMENSIONS = (1280, 420, 512, 512)  # L efficientnet_lite0, mfcc, use_multilingual, hashing


@dataclass(frozen=True)
class Rows:
    """A stage's output: views a sample, bytes that planning counts for a row, bytes on disk."""

    views: int
    planned: int
    stored: int


SAMPLES = Rows(1, 0, 230)  # A
ASSETS = [Rows(1, 0, 75)] * 3  # L
CLEAN = [Rows(1, RAW_BYTES, 21_400), Rows(1, RAW_BYTES, 37_900), Rows(1, 100, 105)]  # L
AUGMENTED = [Rows(VIEWS - 1, 0, stored) for stored in (100, 79, 59)]  # L
FEATURES = [Rows(VIEWS, 4 * width, 4 * width + 49) for width in DIMENSIONS]  # L
CURATED = Rows(1, 0, 230)  # A
TABLES = [SAMPLES, *ASSETS, *CLEAN, *AUGMENTED, *FEATURES, CURATED]
WORKED = [*CLEAN, *FEATURES]  # whose parts an executor makes


@dataclass(frozen=True)
class Cut:
    """`parts` of params.yaml."""

    mean_rows: int
    max_bytes: int

    def rows(self, table: Rows) -> float:
        """Mean rows of a part: a geometric length of mean `mean_rows`, ended by the byte cap."""
        if not table.planned:
            return self.mean_rows
        cap = self.max_bytes / table.planned
        return self.mean_rows * -math.expm1(-cap / self.mean_rows)

    def parts(self, table: Rows, n: int) -> float:
        """Parts of n samples; each batch and view ends with one that is cut early."""
        return table.views * (n / self.rows(table) + n / BATCH)


DEFAULT = Cut(256, 64 * 2**20)
LARGE = Cut(16_384, 256 * 2**20)

# -- work, CPU ms of one thread --------------------------------------------------------------------
CLEAN_MS = 5.0 + 2.8 + 0.05  # L picture, clip, text
ENCODE_MS = VIEWS * (9.5 + 0.5 + 1.7 + 0.05)  # L
APPLY_MS = (VIEWS - 1) * (0.72 + 1.84 + 2 * 0.04)  # M recipes applied, once a feature set
WORK_MS = CLEAN_MS + ENCODE_MS + APPLY_MS
WORKERS = 256  # A one thread each
CPU_HOUR = 0.04  # A US$ a core
GB_MONTH = 0.023  # A US$, object storage
NETWORK = 1.25e9  # A bytes/s of the driver: 10 Gbit/s

# -- DVC, a file -----------------------------------------------------------------------------------
DVC_ADD_MS = 0.33  # M CPU (0.31 and 0.36); 0.6 by the clock: 10,000 files of 2 kB, less 100
DVC_STATUS_MS = 0.06  # M CPU, nothing changed
DVC_BYTES = 3_500  # M memory of `dvc add`: 100 MB at 10,000 files, 65 MB at 100
DIR_BYTES = 100  # M of the .dir JSON
MANIFEST_BYTES = 250  # M a part

# -- the driver ------------------------------------------------------------------------------------
PLAN_US = 25.0  # M CPU a row, to make, sort, cut and key it; 19 to 29 as neighbours worked
PLAN_BYTES = 1_000  # M memory a row, resident; 650 traced without the digests
INGEST_BYTES = 4_600  # M memory a sample: its record and those of its three assets, with rows
DIGEST_RATE = 1.7e9  # M bytes/s of SHA-256 on one core with sha_ni, from memory
PART_MS = 1.9  # M CPU to hand out a part and take its entry: 4.05 ms at 256 rows
ROW_US = 8.3  # M CPU to pickle a row of a part: 136 ms at 16,384

# -- global steps ----------------------------------------------------------------------------------
CURATE_BYTES = 5_100  # M memory a sample: peak of 662 MB at 100,000, 278 MB at 25,000
CURATE_US = 100.0  # M CPU a sample, all that is linear; 78 without near pictures
NEAR_PS = 131.0  # M CPU ps a squared picture: 286 masks; 3.2, 9.9, 30 s at 1, 2, 4 times 10⁵
GATE_PS = 172.0  # M the leak gate: 0.74 ns a pair, 0.2325 n² pairs across splits 70/15/15
# Read off the code: joined, stacked and the train fold taken, three copies live at once.
TRAIN_BYTES = (2 * VIEWS + 0.7 * VIEWS + 0.15) * sum(4 * width for width in DIMENSIONS)

MEMORY = 256e9  # A bytes of the head
NIGHT = 8 * 3600  # A seconds that one single-threaded step may take


def parts(n: int, cut: Cut) -> float:
    return sum(cut.parts(table, n) for table in TABLES)


def raw_files(n: int) -> float:
    return 3 * n


def curate_s(n: int) -> float:
    return n * CURATE_US / 1e6 + n * n * (NEAR_PS + GATE_PS) / 1e12


def dispatch_s(n: int, cut: Cut) -> float:
    """CPU-seconds of the driver to feed all workers, clean and extract."""
    handed = sum(cut.parts(table, n) for table in WORKED)
    rows = n * sum(table.views for table in WORKED)
    return handed * PART_MS / 1e3 + rows * ROW_US / 1e6


def workers_fed(cut: Cut) -> float:
    """Workers that one driver keeps busy."""
    return SIZES[-1] * WORK_MS / 1e3 / dispatch_s(SIZES[-1], cut)


def stored(n: int, tables: list[Rows]) -> float:
    return n * sum(table.views * table.stored for table in tables)


# Where the workers see no files: raw and clean bytes out, a view's clean bytes for each set that is
# made of it (text has two), and all that comes back.
TRAVEL_BYTES = (
    RAW_SAMPLE
    + sum(table.stored for table in CLEAN)
    + VIEWS * (sum(table.stored for table in CLEAN) + CLEAN[2].stored)
    + sum(table.views * table.stored for table in FEATURES)
)


def dollars(n: int) -> float:
    return n * WORK_MS / 3.6e6 * CPU_HOUR


def all_bytes(n: int) -> float:
    return n * RAW_SAMPLE + stored(n, TABLES)


# -- tables ----------------------------------------------------------------------------------------
def number(value: float) -> str:
    if value < 1000:
        return f"{value:.2g}" if value < 100 else f"{value:.0f}"
    power = int(math.log10(value) / 3) * 3
    scaled = value / 10**power
    name = {3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}[power]
    return (f"{scaled:.2g}" if scaled < 100 else f"{scaled:.0f}") + f" {name}"


def size(value: float) -> str:
    return number(value) + ("B" if value >= 1000 else " B")


def span(seconds: float) -> str:
    for unit, length in (("years", 365 * 86400), ("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            count = seconds / length
            return (f"{count:.2g}" if count < 100 else f"{count:,.0f}") + f" {unit}"
    return f"{seconds:.2g} s"


LINES: list[tuple[str, Callable[[int], str]]] = [
    ("raw bytes", lambda n: size(n * RAW_SAMPLE)),
    ("clean bytes", lambda n: size(stored(n, CLEAN))),
    ("feature bytes", lambda n: size(stored(n, FEATURES))),
    ("CPU-hours, clean and extract", lambda n: number(n * WORK_MS / 3.6e6)),
    (f"by the clock on {WORKERS:,} workers", lambda n: span(n * WORK_MS / 1e3 / WORKERS)),
    ("US$, those CPU-hours", lambda n: number(dollars(n))),
    ("US$ a month, all bytes kept", lambda n: number(all_bytes(n) / 1e9 * GB_MONTH)),
    ("raw files", lambda n: number(raw_files(n))),
    ("`dvc add` of them, CPU", lambda n: span(raw_files(n) * DVC_ADD_MS / 1e3)),
    ("… memory", lambda n: size(raw_files(n) * DVC_BYTES)),
    ("parts (objects) at 256 rows", lambda n: number(parts(n, DEFAULT))),
    ("… at 16,384 rows", lambda n: number(parts(n, LARGE))),
    (".dir JSON of all parts, 256", lambda n: size(parts(n, DEFAULT) * DIR_BYTES)),
    ("… 16,384", lambda n: size(parts(n, LARGE) * DIR_BYTES)),
    ("DVC checks all parts, 256", lambda n: span(2 * parts(n, DEFAULT) * DVC_STATUS_MS / 1e3)),
    ("… 16,384", lambda n: span(2 * parts(n, LARGE) * DVC_STATUS_MS / 1e3)),
    ("a set's manifest, 256", lambda n: size(DEFAULT.parts(FEATURES[0], n) * MANIFEST_BYTES)),
    ("… 16,384", lambda n: size(LARGE.parts(FEATURES[0], n) * MANIFEST_BYTES)),
    ("planning one set: memory", lambda n: size(n * VIEWS * PLAN_BYTES)),
    ("… CPU", lambda n: span(n * VIEWS * PLAN_US / 1e6)),
    ("an edit of code: bytes that stages digest", lambda n: size(stored(n, TABLES))),
    ("… CPU", lambda n: span(stored(n, TABLES) / DIGEST_RATE)),
    ("feeding Ray, CPU, 256", lambda n: span(dispatch_s(n, DEFAULT))),
    ("… 16,384", lambda n: span(dispatch_s(n, LARGE))),
    ("no shared files: through the driver", lambda n: size(n * TRAVEL_BYTES)),
    ("… at 10 Gbit/s", lambda n: span(n * TRAVEL_BYTES / NETWORK)),
    ("ingest: memory", lambda n: size(n * INGEST_BYTES)),
    ("curate: memory", lambda n: size(n * CURATE_BYTES)),
    ("… CPU", lambda n: span(curate_s(n))),
    ("train: memory", lambda n: size(n * TRAIN_BYTES)),
]

LIMITS = [
    ("training's arrays in memory", MEMORY / TRAIN_BYTES),
    ("near pictures and leak gate, one night", math.sqrt(NIGHT / ((NEAR_PS + GATE_PS) / 1e12))),
    ("`dvc add` of raw files, memory", MEMORY / (3 * DVC_BYTES)),
    ("`dvc add` of raw files, one night", NIGHT / (3 * DVC_ADD_MS / 1e3)),
    ("ingest's records in memory", MEMORY / INGEST_BYTES),
    ("curate's records in memory", MEMORY / CURATE_BYTES),
    ("planning one feature set in memory", MEMORY / (VIEWS * PLAN_BYTES)),
    ("parts of 256 rows in DVC's memory", MEMORY / (parts(10**9, DEFAULT) / 1e9 * DVC_BYTES)),
    ("planning one feature set, one night", NIGHT / (VIEWS * PLAN_US / 1e6)),
    ("digesting what stands, one night", NIGHT / (stored(1, TABLES) / DIGEST_RATE)),
    ("parts of 16,384 rows in DVC's memory", MEMORY / (parts(10**9, LARGE) / 1e9 * DVC_BYTES)),
]


def table() -> str:
    """The Markdown that docs/scaling.md shows."""
    rows = [["samples", *(f"10{'⁰¹²³⁴⁵⁶⁷⁸⁹'[round(math.log10(n))]}" for n in SIZES)]]
    rows += [["---", *["---:"] * len(SIZES)]]
    rows += [[name, *(value(n) for n in SIZES)] for name, value in LINES]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def limits() -> str:
    """What passes a head of 256 GB or a night first, by samples."""
    rows = ["| breaks | at samples |", "|---|---:|"]
    rows += [f"| {what} | {number(n)} |" for what, n in sorted(LIMITS, key=lambda one: one[1])]
    return "\n".join(rows)


def driver() -> str:
    """Workers that one driver keeps busy, for both cuts."""
    fed = {cut.mean_rows: workers_fed(cut) for cut in (DEFAULT, LARGE)}
    return ", ".join(f"{n:.0f} workers at {rows:,} rows" for rows, n in fed.items())


if __name__ == "__main__":
    print(table(), limits(), driver(), sep="\n\n")
