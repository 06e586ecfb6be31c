"""What Annex IV of the EU's AI Act asks of technical documentation, and what a run can answer.

Regulation (EU) 2024/1689, Annex IV, which Article 11(1) refers to. A row says where the cards
answer a point, or that it is open, and who has to answer it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.params.sections import HandoverOptions

State = Literal["stated", "in part", "open"]


@dataclass(frozen=True)
class Point:
    """One point of the annex: what it asks for, whether it is answered, and where or by whom."""

    number: str
    asks: str
    state: State
    here: str


def points(handover: HandoverOptions, data_card: str) -> list[Point]:
    """Every point, in the annex's order.

    Parameters
    ----------
    data_card:
        The name of the data card's file.
    """

    def said(text: str, where: str) -> tuple[State, str]:
        """What a person answers in params.yaml."""
        return ("stated", where) if text.strip() else ("open", "the provider, in params.yaml")

    purpose = all(text.strip() for text in (handover.provider, handover.intended_use))
    watched = said(handover.oversight, "Uses: oversight")
    return [
        Point(
            "1(a)",
            "intended purpose, provider, version",
            "stated" if purpose else "in part",
            "Details; Uses" if purpose else "Details have the version; the provider says the rest",
        ),
        Point("1(b)", "hardware, software and other systems that it interacts with", "in part",
              "How to use: a Python library, or HTTP; the provider names what calls it"),
        Point("1(c)", "versions of software, and what updates need", "stated",
              "requirements.txt; Preprocessing"),
        Point("1(d)", "forms in which it is put into service", "stated",
              "How to use: a folder of files"),
        Point("1(e)", "hardware that it is meant to run on", "stated", "Details: processor"),
        Point("1(f)", "pictures of products that it is a component of", "open", "the provider"),
        Point("1(g)", "the interface that the deployer is given", "in part",
              "How to use; of a product around it the provider tells"),
        Point("1(h)", "instructions for use", "stated" if purpose else "in part",
              "How to use; Uses"),
        Point("2(a)", "how it was developed, pre-trained parts included", "stated",
              "Training; Preprocessing; Licences"),
        Point("2(b)", "general logic, design choices, what it optimises, trade-offs", "in part",
              "Details; Training; the provider gives reasons"),
        Point("2(c)", "architecture, computing resources", "in part",
              "Details; Training; resources are told by the run's records at the provider's"),
        Point("2(d)", "data: origin, scope, selection, labels, cleaning", "in part",
              f"{data_card}; who labelled, and how, the provider tells"),
        Point("2(e)", "human oversight by Article 14", *watched),
        Point("2(f)", "changes that are determined beforehand", "open", "the provider"),
        Point("2(g)", "validation, testing: data, metrics, accuracy, robustness, groups", "in part",
              f"Evaluation; Limits; {data_card}; dates and signatures are the provider's"),
        Point("2(h)", "cybersecurity", "in part",
              "How to use: files are held to their digests; the rest is the deployer's"),
        Point("3", "capabilities and limits, accuracy for groups, oversight, input data", "in part",
              "Limits; Uses; which slices stand for groups of persons the provider tells"),
        Point("4", "why these metrics suit", "in part",
              "Evaluation names them; the provider says why they suit the purpose"),
        Point("5", "risk management by Article 9", "open", "the provider"),
        Point("6", "changes through the lifecycle", "open",
              "the provider, from the history of the project"),
        Point("7", "standards that were applied", "open", "the provider"),
        Point("8", "EU declaration of conformity (Article 47)", "open", "the provider"),
        Point("9", "monitoring after it is on the market (Article 72)", "open", "the provider"),
    ]  # fmt: skip
