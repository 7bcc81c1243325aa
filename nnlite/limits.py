"""The most memory that what is in a file may take: a few bytes can claim, or inflate to, any number of them.

Every reader of this package asks `check_claim` before it allocates what a file says that it holds.
"""

import os

#: The environment variable that states the limit in bytes.
VARIABLE = "NNLITE_LARGEST"
USUAL = 2**30


class TooLarge(ValueError):
    """What is in a file takes more memory than is allowed; the message names both."""


def largest():
    """Return the limit in bytes; ValueError where the environment variable states none."""
    text = os.environ.get(VARIABLE, str(USUAL))
    if not text.isdecimal() or not int(text):
        raise ValueError(f"the environment variable {VARIABLE} must be a number of bytes, got {text!r}")
    return int(text)


def allowed(path):
    """Return how many bytes of memory what is in a file may take: the limit, or the size of the file."""
    return max(largest(), os.stat(path).st_size)


def refusal(path, what, claimed):
    """Return why `what` is in a file may not be read, or None: it takes more memory than file and limit."""
    most = allowed(path)
    if claimed <= most:
        return None
    return (
        f"{what} takes {claimed / 1e6:,.0f} MB of memory, more than the {most / 1e6:,.0f} MB that a file "
        f"may ask for; if that is meant, set the environment variable {VARIABLE} to the number of bytes"
    )


def check_claim(path, what, claimed):
    """Raise `TooLarge`, naming the file, where `what` is in it takes `claimed` bytes and may not."""
    if message := refusal(path, what, claimed):
        raise TooLarge(f"{path}: {message}")
