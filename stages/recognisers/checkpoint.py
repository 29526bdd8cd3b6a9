"""TrOCR checkpoints: find one on this machine (or fetch it), and open it with transformers.

The only place that may reach the Hugging Face hub, and only when it is allowed to. Opens
safetensors alone, in silence, and never runs code from a checkpoint. `light.py` opens what it can
without transformers, and comes here with the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.errors import PluginError, first_line

if TYPE_CHECKING:
    from stages.recognisers.draft import CtcWeights

_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.png")
HEAD = "ctc_head.safetensors"
"""The file of a checkpoint's CTC head, where it has one."""


EMBEDDED = "trocr-marks"
"""The checkpoint that markwatch brings with it: compact, trained on marks that it renders."""

_SHIPPED = (Path(__file__).parents[1] / "models", Path(__file__).parents[2] / "data" / "models")
"""Where shipped checkpoints lie in an installed wheel, and in a checkout."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An opened checkpoint: `model` is `name@hash`, `network` float32 on the CPU, for inference.

    `network` and `processor` are a `VisionEncoderDecoderModel` and a `TrOCRProcessor`, or what
    `light.py` makes in their place for the reader. `head` is its CTC head, where it has one.
    """

    model: str
    network: Any
    processor: Any
    head: CtcWeights | None = None


def locate(checkpoint: str, allow_download: bool) -> Path:
    """Return the folder of a checkpoint: a local one, a shipped one, or a hub id fetched before.

    The network is tried only when the checkpoint is not here and `allow_download` is set.

    Raises:
        PluginError: it is not here; the text says how to fetch it.
    """
    folder = Path(checkpoint).expanduser()
    for place in (folder, *(shipped / checkpoint for shipped in _SHIPPED)):
        if place.is_dir():
            return place
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        cached = Path(snapshot_download(checkpoint, allow_patterns=_FILES, local_files_only=True))
        # a snapshot may be there in part, after an interrupted download
        if any(cached.glob("*.safetensors")):
            return cached
    except HFValidationError as error:
        raise PluginError(
            f"there is no folder {checkpoint}, and it is no id of the Hugging Face hub; "
            "correct `checkpoint`"
        ) from error
    except LocalEntryNotFoundError:
        pass
    if not allow_download:
        raise PluginError(
            f"the TrOCR checkpoint {checkpoint} is not on this machine; fetch it once with "
            f"`hf download {checkpoint}`, or set `allow_download: true`"
        )
    try:
        return Path(snapshot_download(checkpoint, allow_patterns=_FILES))
    except OSError as error:
        raise PluginError(
            f"the TrOCR checkpoint {checkpoint} could not be fetched; check the id and the way to "
            f"the hub, or copy a folder here: {first_line(error)}"
        ) from error


def open_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Open the checkpoint in `folder` in the stock classes; nothing is printed or fetched.

    Raises:
        PluginError: it is not a whole TrOCR checkpoint in safetensors.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not any(path.name != HEAD for path in weights):
        raise PluginError(
            f"{folder} has no *.safetensors; choose a checkpoint that was saved as safetensors"
        )
    _refuse_code(folder)
    try:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoConfig, TrOCRProcessor, VisionEncoderDecoderModel
    except ImportError as error:
        raise PluginError(
            f"{error.name} does not load; `pip install torch transformers`"
        ) from error
    try:
        with _quiet():
            config = AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            if config.model_type != "vision-encoder-decoder":
                raise ValueError(f"it is a {config.model_type} model")
            if config.decoder.model_type != "trocr":
                raise ValueError(f"its decoder is {config.decoder.model_type}, not trocr")
            network, loading = VisionEncoderDecoderModel.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
            )
            # the Pillow image processor: the same pixels with and without torchvision
            processor = TrOCRProcessor.from_pretrained(
                folder, local_files_only=True, backend="pil", trust_remote_code=False
            )
        # TrOCR checkpoints have no pooler, and nothing reads its output
        missing = [key for key in loading["missing_keys"] if ".pooler." not in key]
        if missing:
            raise ValueError(f"{len(missing)} weights are missing, the first is {min(missing)}")
        head = ctc_head(folder / HEAD, config) if folder / HEAD in weights else None
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise PluginError(
            f"{folder} does not open as a TrOCR checkpoint; check `checkpoint`: {first_line(error)}"
        ) from error
    network = network.eval().requires_grad_(False)
    return Checkpoint(model_name(folder, name), network, processor, head)


def _refuse_code(folder: Path) -> None:
    """Refuse a checkpoint that brings code of its own, which nothing here would run anyway.

    Raises:
        PluginError: a JSON file of it names code (`auto_map`).
    """
    for path in sorted(folder.glob("*.json")):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            # whether it must be readable is for its reader to say
            continue
        if _names_code(said):
            raise PluginError(
                f"{folder} wants to run code of its own ({path.name} has auto_map), and that is "
                "never done; choose a checkpoint in the stock classes"
            )


def _names_code(said: Any) -> bool:
    left = [said]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            if "auto_map" in item:
                return True
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
    return False


def model_name(folder: Path, name: str) -> str:
    """Return `name@hash` for the weights in `folder`."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return f"{name}@{digest.hexdigest()[:8]}"


def ctc_head(path: Path, config: Any) -> CtcWeights:
    """Open a CTC head: `weight` (V, D) and `bias` (V,) for the encoder's states.

    Raises:
        ValueError: it has other shapes than this network's configuration asks for.
    """
    from safetensors.torch import load_file

    from stages.recognisers.draft import CtcWeights

    weights = load_file(path)
    shapes = {name: tuple(each.shape) for name, each in weights.items()}
    vocabulary, width = config.decoder.vocab_size, config.encoder.hidden_size
    if shapes != {"weight": (vocabulary, width), "bias": (vocabulary,)}:
        raise ValueError(f"{path.name} is not a map from {width} channels to {vocabulary} tokens")
    return CtcWeights(weights["weight"].float(), weights["bias"].float())


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers while it loads: an absent pooler and progress bars are no news.

    Weights that are missing and do matter are told by the loading info, and become an error.
    """
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
