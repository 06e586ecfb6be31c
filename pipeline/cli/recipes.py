"""`pipeline recipes`: which whole projects `pipeline init --recipe` lays out."""

from __future__ import annotations

from pipeline.cli.arguments import Json
from pipeline.cli.errors import handle_errors
from pipeline.cli.output import show


@handle_errors
def recipes(json: Json = False) -> None:
    """Show the recipes: projects on data that they fetch, for `pipeline init DIR --recipe NAME`.

    `bytes` are downloaded; `minutes` and `memory_gb` are those of `dvc repro` on two cores.
    """
    from pipeline.recipes import load, names

    rows = []
    for name in names():
        about = load(name).about
        row = {"recipe": name, **about.model_dump(), "bytes": sum(one.bytes for one in about.data)}
        if not json:
            row["licence"] = ", ".join(dict.fromkeys(one.licence for one in about.data))
            row["data"] = ", ".join(one.name for one in about.data)
        rows.append(row)
    show(rows, ("recipe", "title", "data", "licence", "bytes", "minutes", "memory_gb"), json)
