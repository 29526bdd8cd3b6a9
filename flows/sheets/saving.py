"""Writes a sheet as a PNG that says of itself that it is one, so that it may be written anew.

A sheet of the same name is replaced, which is what one wants while trying out a recipe; any other
file, above all a picture of a part, never is.
"""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from stages.errors import ConfigError

_KEY, _MAKER = "Software", "markwatch sheet"


def require(path: Path) -> None:
    """Find out before the work whether a sheet can be written here.

    Raises:
        ConfigError: the name is no PNG's, the folder is missing, or a file that is no sheet of
            markwatch has that name.
    """
    if path.suffix.lower() != ".png":
        raise ConfigError(f"{path}: a sheet is a PNG; name it like {path.stem or 'sheet'}.png")
    if not path.parent.is_dir():
        raise ConfigError(f"no such folder: {path.parent}; make it, or choose another file")
    if os.path.lexists(path) and not is_sheet(path):
        raise ConfigError(
            f"{path} is there already and is no sheet of markwatch; choose another name with -o"
        )


def is_sheet(path: Path) -> bool:
    """Whether a file is a sheet that markwatch wrote."""
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            return picture.info.get(_KEY) == _MAKER
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError):
        return False


def save(sheet: Image.Image, path: Path) -> None:
    """Write a sheet, whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    about = PngInfo()
    about.add_text(_KEY, _MAKER)
    aside = path.with_name(f".{path.name}.part")
    try:
        sheet.save(aside, "PNG", pnginfo=about, compress_level=4)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}; choose another file with -o"
        ) from error
