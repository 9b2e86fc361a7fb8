"""What a check of the doctor finds."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One finding: `ok`, `warning` or `wrong`."""

    state: str
    words: str
