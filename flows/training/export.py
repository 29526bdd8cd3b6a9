"""From a trained network to a published checkpoint that the stock classes open, and back."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import TrOCRProcessor, VisionEncoderDecoderModel, ViTImageProcessorPil
from transformers.utils import logging

from flows.training.network import SPECIALS, Network, Shape, stock_model, tokenizer
from stages.errors import ConfigError, first_line
from stages.recognisers.checkpoint import open_checkpoint

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness: ITU-R BT.601, as Pillow has them."""

CTC_HEAD = "ctc_head.safetensors"
"""The file of the CTC head: `weight` (V, D) and `bias` (V,), float16."""

_POOLER = ".pooler."
_PATCHES = "encoder.embeddings.patch_embeddings.projection.weight"


def export(network: Network, folder: Path) -> None:
    """Save `network` in `folder` as a TrOCR checkpoint in float16, three channels in.

    The CTC head, which the stock classes do not know, goes into a file of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: each.detach().cpu() for name, each in network.model.state_dict().items()}
    luminance = torch.tensor(LUMINANCE)[None, :, None, None]
    weights[_PATCHES] = weights[_PATCHES] * luminance
    words = tokenizer(network.alphabet)
    model = stock_model(network.shape, len(words))
    unused = {
        name: torch.zeros_like(each) for name, each in model.state_dict().items() if _POOLER in name
    }
    model.load_state_dict(weights | unused)
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    model.half().save_pretrained(folder)
    if shown:
        logging.enable_progress_bar()
    config = folder / "config.json"
    described = json.loads(config.read_text())
    # kept small on disk; opened as float32, which is what processors compute in
    for part in (described, described["encoder"], described["decoder"]):
        part["dtype"] = "float32"
    config.write_text(json.dumps(described, indent=2, sort_keys=True) + "\n")
    pictures = ViTImageProcessorPil(
        size={"height": network.shape.rows, "width": network.shape.columns},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    TrOCRProcessor(pictures, words).save_pretrained(folder)
    # the name that transformers 4 and every published TrOCR checkpoint know it by
    (folder / "preprocessor_config.json").write_text(
        json.dumps(pictures.to_dict(), indent=2, sort_keys=True) + "\n"
    )
    (folder / "processor_config.json").unlink(missing_ok=True)
    head = {name: each.detach().cpu().half() for name, each in network.ctc.state_dict().items()}
    save_file(head, folder / CTC_HEAD)
    for file in folder.glob("*.safetensors"):
        # safetensors writes for the owner alone
        file.chmod(0o644)


def load(folder: Path) -> Network:
    """Open a checkpoint that `export` made, to train it further.

    Raises:
        PluginError: it does not open.
        ConfigError: it is no checkpoint of this kind; the text says which to take.
    """
    opened = open_checkpoint(folder, folder.name)
    model: VisionEncoderDecoderModel = opened.network
    words = opened.processor.tokenizer
    encoder, decoder = model.config.encoder, model.config.decoder
    alphabet = "".join(words.convert_ids_to_tokens(range(len(SPECIALS), len(words))))
    try:
        (rows, columns), (patch_rows, patch_columns) = encoder.image_size, encoder.patch_size
        shape = Shape(
            rows=rows,
            columns=columns,
            patch_rows=patch_rows,
            patch_columns=patch_columns,
            width=encoder.hidden_size,
            layers=encoder.num_hidden_layers,
            decoder_layers=decoder.decoder_layers,
            head_width=encoder.hidden_size // encoder.num_attention_heads,
        )
        network = Network(shape, alphabet)
        kept = model.state_dict().items()
        weights = {name: each.float() for name, each in kept if _POOLER not in name}
        weights[_PATCHES] = weights[_PATCHES].sum(1, keepdim=True)
        network.model.load_state_dict(weights)
        head = load_file(folder / CTC_HEAD)
        network.ctc.load_state_dict({name: each.float() for name, each in head.items()})
    except (TypeError, ValueError, RuntimeError, OSError, KeyError) as error:
        raise ConfigError(
            f"{folder} cannot be trained further; take a checkpoint that `markwatch train` made: "
            f"{first_line(error)}"
        ) from error
    return network.float().requires_grad_(True)
