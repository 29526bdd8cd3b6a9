"""The PP-OCR models that ship inside the `rapidocr` wheel, opened with onnxruntime.

Shared by the `neural` detector and the `rapidocr` recogniser. The files are opened directly, not
through the wheel's `RapidOCR` class: that class downloads a model whose hash differs, swallows
errors, and returns detection scores in another order than its boxes (`TextDetector` sorts the
boxes alone).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from stages.errors import PluginError, RecogniserError


class PpocrModel:
    """One ONNX file of the wheel, with `run`.

    `fingerprint` is the first 8 hex digits of the file's sha256, `metadata` what the file says of
    itself, `classes` the last dimension of its output where that is fixed.

    Loads on construction, with `threads` threads for one picture, and never touches the network.

    Raises:
        PluginError: the wheel or the model in it is missing or damaged.
    """

    def __init__(self, file_name: str, threads: int) -> None:
        try:
            import onnxruntime
            import rapidocr
            from onnxruntime.capi import onnxruntime_pybind11_state as states
        except ImportError as error:
            raise PluginError(
                f"{error.name} does not load; `pip install rapidocr onnxruntime`"
            ) from error
        path = Path(rapidocr.__file__).parent / "models" / file_name
        # onnxruntime's own errors have no common parent below Exception
        self._failures = tuple(
            kind
            for kind in vars(states).values()
            if isinstance(kind, type) and issubclass(kind, Exception)
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # every crop has its own width, and the arena would keep memory for each of them
        options.enable_cpu_mem_arena = False
        try:
            with path.open("rb") as file:
                self.fingerprint = hashlib.file_digest(file, "sha256").hexdigest()[:8]
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except (OSError, *self._failures) as error:
            raise PluginError(
                f"the model {file_name} of the rapidocr package does not open; "
                "reinstall it with `pip install --force-reinstall rapidocr`"
            ) from error
        self._input = self._session.get_inputs()[0].name
        last = self._session.get_outputs()[0].shape[-1]
        self.classes = last if isinstance(last, int) else None
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Return the first output for a (N, 3, H, W) float32 tensor.

        Raises:
            RecogniserError: onnxruntime failed, out of memory included.
        """
        try:
            return self._session.run(None, {self._input: tensor})[0]
        except (MemoryError, *self._failures) as error:
            reason = str(error).partition("\n")[0]
            raise RecogniserError(f"onnxruntime failed on {tensor.shape}: {reason}") from error


def to_bgr(pixels: np.ndarray) -> np.ndarray:
    """Return (H, W[, 3]) grey or RGB pixels as a new (H, W, 3) BGR array, as PP-OCR was trained."""
    code = cv2.COLOR_GRAY2BGR if pixels.ndim == 2 else cv2.COLOR_RGB2BGR
    return cv2.cvtColor(pixels, code)
