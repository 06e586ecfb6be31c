"""Who is told how a night ended: a webhook, a mail, a command. None of them can fail a night.

Secrets come from the environment of the process that sends, and stand in no message: what a
library says of a failure may hold the address that was asked, so only its kind is passed on.
"""

from __future__ import annotations

import json
import logging
import os
import smtplib
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from urllib.error import HTTPError

from pipeline.nightly.journal import Night
from pipeline.nightly.options import Channel, Command, Email, Webhook

logger = logging.getLogger(__name__)
TRIES = 3
# Of one try; a webhook that hangs costs a night so much and no more.
TIMEOUT_S = 10.0
WAIT_S = 2.0
NAMES = {
    "promoted": "promoted",
    "held": "held",
    "nothing": "nothing new",
    "bad_data": "bad data",
}


class _Unset(Exception):
    """An environment variable that a channel needs is not set."""


def message(night: Night, project: str) -> tuple[str, str]:
    """The subject and the text for people."""
    assert night.verdict is not None
    subject = f"{project}: night {night.run} {NAMES[night.verdict.outcome]}"
    lines = [night.verdict.why]
    for delivery in night.deliveries:
        name = delivery.batch if delivery.fate == "taken" else delivery.landing
        why = "".join(f": {words}" for words in (delivery.why, delivery.noted) if words)
        lines.append(f"- {delivery.source}/{name}: {delivery.fate}{why}")
    if night.answers:
        lines.append(f"- {night.answers.why}")
    lines += [f"- {name} waits: {why}" for name, why in night.left.items()]
    if any(delivery.fate == "held" for delivery in night.deliveries):
        lines.append("`pipeline nightly held` shows what is held.")
    return subject, "\n".join(lines)


def notify(
    channels: Sequence[Channel],
    subject: str,
    text: str,
    sleep: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Tell everybody, each tried three times; returns what failed, in words without a secret."""
    failed = []
    for place, channel in enumerate(channels):
        for attempt in range(TRIES):
            try:
                _send(channel, subject, text)
                break
            except Exception as error:  # whatever it is, the night has ended well without it
                why = _why(error)
                if attempt + 1 == TRIES or isinstance(error, _Unset):
                    failed.append(f"notify.{place} ({channel.kind}): {why}")
                    logger.warning("could not tell by %s: %s", channel.kind, why)
                    break
                sleep(WAIT_S * 2**attempt)
    return failed


def _send(channel: Channel, subject: str, text: str) -> None:
    if isinstance(channel, Webhook):
        _post(_secret(channel.url_from), subject, text)
    elif isinstance(channel, Email):
        _mail(channel, subject, text)
    else:
        _call(channel, subject, text)


def _post(url: str, subject: str, text: str) -> None:
    body = json.dumps({"text": f"*{subject}*\n{text}"}).encode()
    if not url.startswith(("https://", "http://")):
        raise ValueError("a webhook is an http(s) URL")
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        answer.read()


def _mail(channel: Email, subject: str, text: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = channel.sender, ", ".join(channel.to), subject
    mail.set_content(text)
    with smtplib.SMTP(channel.host, channel.port, timeout=TIMEOUT_S) as server:
        if channel.tls:
            server.starttls()
        if channel.user_from:
            server.login(_secret(channel.user_from), _secret(channel.password_from))
        server.send_message(mail)


def _call(channel: Command, subject: str, text: str) -> None:
    subprocess.run(
        channel.run,
        input=f"{subject}\n{text}\n",
        text=True,
        timeout=TIMEOUT_S,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _secret(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise _Unset(f"the environment variable {name} is not set")
    return value


def _why(error: Exception) -> str:
    if isinstance(error, _Unset):
        return str(error)
    if isinstance(error, HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, subprocess.CalledProcessError):
        return f"it ended with {error.returncode}"
    return type(error).__name__
