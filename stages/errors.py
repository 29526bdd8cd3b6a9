"""The error tree: what went wrong, and therefore what markwatch does about it.

MarkwatchError          a known error: one line, with its remedy
+-- ConfigError         stop before any work starts
+-- PluginError         an engine, source or sink cannot be found or loaded
+-- ImageError          this picture cannot be read: file it under failed/ and carry on
+-- RecogniserError     the engine failed: retry the picture alone, then file it under failed/
+-- DeliveryError       the far side is away: retry for ever with backoff, never drop
"""

from __future__ import annotations


class MarkwatchError(Exception):
    """A known error whose text is one line and names its remedy.

    `exit_code` is what the command line returns for it (after sysexits.h where it has a word).
    """

    exit_code = 1


class ConfigError(MarkwatchError):
    """The configuration, a recipe or the folder layout is wrong."""

    exit_code = 78


class PluginError(MarkwatchError):
    """A plug-in is not installed, does not load, or breaks its contract."""

    exit_code = 69


class ImageError(MarkwatchError):
    """A file is not a readable picture; the text becomes the `reason` of its report."""

    exit_code = 65


class RecogniserError(MarkwatchError):
    """An engine (detector or recogniser) failed on input that was a valid picture."""

    exit_code = 70


class DeliveryError(MarkwatchError):
    """A sink could not make rows durable now; the same rows are offered again later."""

    exit_code = 75


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its type's name."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
