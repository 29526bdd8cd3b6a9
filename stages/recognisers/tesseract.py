"""The `tesseract` recogniser: Tesseract 5 within this process, a peer to measure others against.

Crops in, transcripts out, each read as one line (`--psm 7`). It needs the extra `tesseract`
(tesserocr, whose wheels hold the engine) and a folder with its language files. One thread: the
wheels are built without OpenMP. Tesseract: Smith 2007, ICDAR.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from glob import glob
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

import cv2
import numpy as np
from pydantic import Field

from stages.contrast import MIN_CONTRAST_GREY_LEVELS, contrast
from stages.errors import PluginError, RecogniserError
from stages.formats import Constraint
from stages.options import Options
from stages.recognisers.decoding import transcript
from stages.records import Character, Transcript

if TYPE_CHECKING:
    from tesserocr import PyResultIterator

_USUAL_FOLDERS = (
    "/usr/share/tesseract-ocr/*/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
    "C:/Program Files/Tesseract-OCR/tessdata",
)
_LEAST_SIDE_PX = 3
"""Under this leptonica refuses to scale, and says so on standard error."""


class TesseractRecogniser:
    """Reads upright crops of one line with Tesseract's LSTM; candidates are always empty.

    `per_thread` asks for one instance per thread: an engine holds the picture that it reads. Once
    entered, `tessdata` is the folder that its language files were found in.
    """

    per_thread: ClassVar[bool] = True

    class Options(Options):
        language: str = Field("eng", min_length=1, description="language file, or several: eng+deu")
        tessdata: str | None = Field(
            None,
            description="folder with the language files (whole, or relative to the root); unset: "
            "what the environment variable TESSDATA_PREFIX names, or where Tesseract is usually "
            "installed",
            json_schema_extra={"path": True},
        )
        min_contrast_grey_levels: float = Field(
            MIN_CONTRAST_GREY_LEVELS,
            ge=0,
            le=255,
            description="crops with less local contrast are blank: they give an empty text",
        )

    def __init__(self, options: TesseractRecogniser.Options) -> None:
        self._options = options
        self.model = ""

    def __enter__(self) -> Self:
        try:
            import tesserocr
        except ImportError as error:
            raise PluginError("tesserocr is not installed; `pip install tesserocr`") from error
        languages = self._options.language.split("+")
        given = self._options.tessdata
        # tesserocr asks TESSDATA_PREFIX
        usual = _usual_folders(tesserocr.get_languages()[0])
        self.tessdata = _tessdata([Path(given).expanduser()] if given else usual, languages)
        try:
            self._engine = tesserocr.PyTessBaseAPI(
                path=str(self.tessdata),
                lang=self._options.language,
                psm=tesserocr.PSM.SINGLE_LINE,
                oem=tesserocr.OEM.LSTM_ONLY,
            )
        except RuntimeError as error:
            raise PluginError(f"Tesseract does not open {self.tessdata}: {error}") from error
        self._engine.SetVariable("debug_file", os.devnull)
        self._symbol, self._word = tesserocr.RIL.SYMBOL, tesserocr.RIL.WORD
        digest = hashlib.sha256()
        for language in languages:
            digest.update((self.tessdata / f"{language}.traineddata").read_bytes())
        version = tesserocr.tesseract_version().split()[1]
        self.model = f"tesseract-{version}-{self._options.language}@{digest.hexdigest()[:8]}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._engine.End()

    def read(
        self, crops: Sequence[np.ndarray], constraints: Sequence[Constraint | None]
    ) -> list[Transcript]:
        """Return one transcript per crop, in order; constraints are not used.

        Raises:
            RecogniserError: Tesseract failed.
        """
        return [self._read(crop) for crop in crops]

    def _read(self, crop: np.ndarray) -> Transcript:
        height, width = crop.shape[:2]
        is_blank = contrast(crop) < self._options.min_contrast_grey_levels
        if is_blank or min(height, width) < _LEAST_SIDE_PX:
            return Transcript("", ())
        grey = crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
        try:
            # bytes, not a Pillow picture: that would come with a resolution that is not known
            self._engine.SetImageBytes(grey.tobytes(), width, height, 1, width)
            self._engine.Recognize()
            return transcript(self._characters(self._engine.GetIterator()))
        except RuntimeError as error:
            raise RecogniserError(f"{self.model} failed: {error}") from error

    def _characters(self, found: PyResultIterator | None) -> Iterator[Character]:
        """The symbols of the line; a space between words is as sure as the symbol after it."""
        if found is None or found.Empty(self._symbol):
            return
        while True:
            text = found.GetUTF8Text(self._symbol)
            confidence = min(max(found.Confidence(self._symbol) / 100, 0.0), 1.0)
            if found.IsAtBeginningOf(self._word):
                yield Character(" ", confidence)
            yield from (Character(char, confidence) for char in text if not char.isspace())
            if not found.Next(self._symbol):
                return


def _tessdata(folders: Iterable[Path], languages: Sequence[str]) -> Path:
    """The first of the folders that holds every language."""
    files = [f"{language}.traineddata" for language in languages]
    for folder in folders:
        if all((folder / file).is_file() for file in files):
            return folder
    raise PluginError(
        f"Tesseract's {' and '.join(files)} was not found; install the language (Debian: "
        "`apt-get install tesseract-ocr-eng`), or set `tessdata` to the folder that holds it"
    )


def _usual_folders(environment: str) -> Iterator[Path]:
    yield Path(environment)
    for pattern in _USUAL_FOLDERS:
        yield from map(Path, sorted(glob(pattern)))
