"""What everybody who asks a stranger's server needs: a name, patience, and no loose talk."""

from __future__ import annotations

import logging
import math
import os
import re
from datetime import UTC
from email.utils import parsedate_to_datetime

import corpus

CONTACT_VARIABLE = "GENREMILL_CONTACT"
PRODUCT = "GenreMill"
DAY = 86_400.0  # seconds

_LONGEST_WAIT = 7 * DAY  # a longer Retry-After is taken for this: it is a mistake

# What libraries log: the header, a dict of headers, or the query of a URL.
_SECRETS = (
    (re.compile(r"\b(Basic|Bearer)\s+[\w.~+/=-]+", re.IGNORECASE), r"\1 ***"),
    (re.compile(r"((?:Set-)?Cookie['\"]?\s*[:=,]\s*)[^\r\n]+", re.IGNORECASE), r"\1***"),
    (
        re.compile(r"([?&](?:\w*key|\w*token|\w*secret|password)=)[^&\s\"']+", re.IGNORECASE),
        r"\1***",
    ),
)


def contact() -> str:
    """Whom the owner of a server can write to; empty where the user has not said."""
    given = " ".join(os.environ.get(CONTACT_VARIABLE, "").split())
    return given.encode("ascii", "replace").decode()


def user_agent() -> str:
    """Name, version and whom to write to: MusicBrainz and Wikimedia refuse clients without."""
    named = f"{PRODUCT}/{corpus.__version__}"
    return f"{named} ({contact()})" if contact() else named


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait after a `Retry-After` header: a number or an HTTP date.

    Returns:
      0 to 7 days; None where there is no header or nobody can read it.
    """
    try:
        seconds = float(value or "")
    except ValueError:
        seconds = _until(value or "", now)
    return None if math.isnan(seconds) else min(max(seconds, 0.0), _LONGEST_WAIT)


def _until(date: str, now: float) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # a zone of +99999999999999999999
        return math.nan
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now


def without_secrets(text: str) -> str:
    """The text with credentials replaced by `***`."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


class _SecretsFilter(logging.Filter):
    """Takes credentials out of what a library logs, before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_secrets(record.getMessage()), ()
        return True


_FILTER = _SecretsFilter()


def hush(*loggers: str) -> None:
    """Keeps credentials out of what these loggers say."""
    for name in loggers:
        logging.getLogger(name).addFilter(_FILTER)
