"""A secret from the environment or from a file, and who else may read that file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import structlog
from pydantic import SecretStr

from stages.errors import ConfigError


def secret_of(
    value: SecretStr | None, file: str | None, root: str | Path, option: str
) -> str | None:
    """The secret: `value` if there is one, else the first line of `file`, else None.

    A file that every account may read is told of in the log, and used.

    Raises:
        ConfigError: the file cannot be read, or is empty; `option` names it in what is said.
    """
    if value is not None:
        return value.get_secret_value()
    if file is None:
        return None
    path = Path(root, file)
    try:
        with path.open(encoding="utf-8") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            word = opened.read().strip("\r\n")
    except OSError as error:
        raise ConfigError(
            f"{option} {path} cannot be read: {error.strerror}; correct the name, or give this "
            "account the right to read it"
        ) from error
    except UnicodeDecodeError:
        # Not the error's own words: they quote a byte of the secret.
        raise ConfigError(f"{option} {path} is not text in UTF-8: write it anew") from None
    if not word:
        raise ConfigError(f"{option} {path} is empty: write the secret into it")
    if os.name == "posix" and mode & stat.S_IROTH:
        structlog.get_logger("markwatch.credentials").warning(
            "every account of this machine may read a secret; chmod 0600 (or 0640) it",
            option=option,
            file=str(path),
        )
    return word
