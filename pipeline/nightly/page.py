"""The last nights at a glance: a static page that asks no other host."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipeline.reporting.format import amount, count, humanize
from pipeline.reporting.page_assets import TEMPLATES, jinja_environment, style_and_script
from pipeline.reporting.plots.panels import levels
from pipeline.reporting.plots.scale import nice_scale
from pipeline.reporting.plots.svg import drawing, number, tag

HERE = Path(__file__).with_name("templates")
TITLES = {
    "promoted": "promoted",
    "held": "held",
    "nothing": "nothing new",
    "bad_data": "bad data",
}
WIDTH, HEIGHT = 900, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 24
# A figure's own sort, of which the page draws the first that a model has.
FIGURES = ("macro_f1", "accuracy", "r2", "mae")
SHARES = ("macro_f1", "accuracy")

Record = Mapping[str, Any]


def render(records: Sequence[Record], reports: Collection[str]) -> str:
    """The page as HTML; the newest night is the last record.

    Parameters
    ----------
    reports:
        The nights that have a report, `<run>.html`, beside the page.
    """
    newest_first = [*reversed(records)]
    outcomes = dict.fromkeys(TITLES, 0)
    for record in records:
        outcomes[record["outcome"]] += 1
    return (
        jinja_environment(HERE, TEMPLATES)
        .get_template("nights.html")
        .render(
            records=newest_first,
            strip=records,
            titles=TITLES,
            outcomes=outcomes,
            reports=reports,
            trends=[*_trends(records)],
            cost=_cost(records),
            clock=_clock,
            duration=_duration,
            opening=None,
            sections=[],
            left_out=[],
            **style_and_script(HERE / "nights.css"),
        )
    )


def _clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _trends(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Of each task, a drawing of its first figure by model over the nights."""
    tasks: dict[str, dict[str, list[tuple[int, Mapping[str, Any]]]]] = {}
    figures: dict[str, str] = {}
    for record in records:
        for row in record["metrics"] or ():
            best = figures.get(row["task"])
            if row["figure"] in FIGURES and (best is None or _rank(row["figure"]) < _rank(best)):
                figures[row["task"]] = row["figure"]
    for place, record in enumerate(records):
        for row in record["metrics"] or ():
            if row["figure"] == figures.get(row["task"]) and row["value"] is not None:
                models = tasks.setdefault(row["task"], {})
                models.setdefault(row["model"], []).append((place, row))
    return [
        {
            "task": task,
            "label": _label(figures[task]),
            "models": [
                {
                    "name": model,
                    "drawing": _trend(points, records, f"{model}, {task}", figures[task]),
                }
                for model, points in sorted(models.items())
            ],
        }
        for task, models in sorted(tasks.items())
    ]


def _label(figure: str) -> str:
    """A figure at the beginning of a sentence, with its unit."""
    words = {"macro_f1": "Macro-F1", "r2": "R²", "mae": "Mean absolute error"}
    label = words.get(figure, humanize(figure).capitalize())
    return f"{label} (%)" if figure in SHARES else label


def _rank(figure: str) -> int:
    return FIGURES.index(figure)


def _trend(
    points: Sequence[tuple[int, Mapping[str, Any]]],
    records: Sequence[Record],
    label: str,
    figure: str,
) -> Markup:
    """A figure by night with its interval; where the model in use moved, a mark."""
    values = [
        value
        for _, row in points
        for value in (row["value"], row["low"], row["high"])
        if value is not None
    ]
    up, last = nice_scale(values, ticks=4), max(len(records) - 1, 1)
    share = figure in SHARES

    def x(place: float) -> float:
        return LEFT + place / last * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - up.place(value) * (HEIGHT - TOP - BOTTOM)

    shapes = levels(
        up.ticks, y, (LEFT, WIDTH - RIGHT), lambda tick: amount(tick, share).removesuffix(".0")
    )
    for place, record in enumerate(records):
        if record["outcome"] == "promoted":
            shapes.append(
                tag("line", x1=x(place), x2=x(place), y1=TOP, y2=HEIGHT - BOTTOM, class_="moved")
            )
    bounded = [(place, row) for place, row in points if row["low"] is not None]
    if bounded:
        upper = [f"{number(x(place))},{number(y(row['high']))}" for place, row in bounded]
        lower = [f"{number(x(place))},{number(y(row['low']))}" for place, row in reversed(bounded)]
        shapes.append(tag("polygon", points=" ".join([*upper, *lower]), class_="band"))
    path = " ".join(f"{number(x(place))},{number(y(row['value']))}" for place, row in points)
    shapes.append(tag("polyline", points=path, class_="line"))
    for place, row in points:
        between = (
            f", interval {amount(row['low'], share)} to {amount(row['high'], share)}"
            if row["low"] is not None
            else ""
        )
        sentence = f"{records[place]['run']}: {amount(row['value'], share)}{between}"
        shapes.append(
            tag("circle", tag("title", sentence), cx=x(place), cy=y(row["value"]), r=3.5,
                class_="point")
        )  # fmt: skip
    shapes += [
        tag("text", str(records[0]["run"]), x=LEFT, y=HEIGHT - 6),
        tag("text", str(records[-1]["run"]), x=WIDTH - RIGHT, y=HEIGHT - 6, text_anchor="end"),
    ]
    return drawing(f"{label} by night", *shapes, viewBox=f"0 0 {WIDTH} {HEIGHT}", class_="trend")


def _cost(records: Sequence[Record]) -> Markup | None:
    """CPU-seconds of a night against the rows that it computed."""
    paid = [record for record in records if record["computed_rows"]]
    if len(paid) < 2:
        return None
    across = nice_scale([0.0, *(float(record["computed_rows"]) for record in paid)])
    up = nice_scale([0.0, *(record["cpu_seconds"] for record in paid)], ticks=4)

    def x(value: float) -> float:
        return LEFT + across.place(value) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - up.place(value) * (HEIGHT - TOP - BOTTOM)

    shapes = levels(up.ticks, y, (LEFT, WIDTH - RIGHT), "{:g}".format)
    shapes += [
        tag("text", count(tick), x=x(tick), y=HEIGHT - 6, text_anchor="middle")
        for tick in across.ticks[1:-1]
    ]
    shapes += [
        tag(
            "circle",
            tag("title", f"{record['run']}: {record['computed_rows']} rows, "
                         f"{record['cpu_seconds']:.0f} CPU-seconds"),
            cx=x(float(record["computed_rows"])), cy=y(record["cpu_seconds"]), r=4.5,
            class_=f"point {record['outcome']}",
        )
        for record in paid
    ]  # fmt: skip
    return drawing(
        "CPU-seconds of nights against the rows that they computed",
        *shapes,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        class_="trend",
    )
