"""TrOCR checkpoints with random weights, made on the fly for tests.

Small ones open like any checkpoint of the hub (`config.json`, safetensors, processor and tokenizer
files) and read noise, the same noise each time. `published` has the shapes of those of Microsoft.
"""

from __future__ import annotations

import json
from pathlib import Path

CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 -./:#+()µ€"
_SPECIALS = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
_LINES = ("LOT 4711-B 2026", "S/N 00123456", "EXP 31.12.27", "MADE IN GERMANY", "PART No. 7 µm €5")


def make(
    folder: Path,
    *,
    tokenizer: str = "characters",
    channels: int = 3,
    positions: int = 48,
    seed: int = 1,
    head: bool = False,
) -> Path:
    """Save a checkpoint of about 60,000 weights in `folder` and return it.

    `tokenizer` is `characters` (one token each) or `bytes` (byte-level BPE, as microsoft/trocr
    has it, trained on a few lines). `positions` is the longest text plus start and end. With
    `head` there is a CTC head beside it, in float16, of random weights as well.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import (
        GenerationConfig,
        TrOCRConfig,
        TrOCRForCausalLM,
        TrOCRProcessor,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessorPil,
        ViTModel,
    )

    words = {"characters": _characters, "bytes": _bytes}[tokenizer]()
    ids = {
        "bos_token_id": words.bos_token_id,
        "pad_token_id": words.pad_token_id,
        "eos_token_id": words.eos_token_id,
    }
    encoder = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=(16, 64),
        patch_size=(16, 4),
        num_channels=channels,
    )
    decoder = TrOCRConfig(
        vocab_size=len(words),
        d_model=32,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=64,
        max_position_embeddings=positions,
        cross_attention_hidden_size=32,
        init_std=0.6,
        dropout=0.0,
        decoder_start_token_id=words.eos_token_id,
        **ids,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = VisionEncoderDecoderModel(
            VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder),
            # hub checkpoints have no pooler either
            encoder=ViTModel(encoder, add_pooling_layer=False),
            decoder=TrOCRForCausalLM(decoder),
        )
        with torch.no_grad():
            # without this a random encoder says nearly the same of every picture
            model.encoder.embeddings.patch_embeddings.projection.weight.mul_(20)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=words.eos_token_id, max_length=20, **ids
    )
    pictures = ViTImageProcessorPil(
        size={"height": 16, "width": 64},
        image_mean=[0.5] * channels,
        image_std=[0.5] * channels,
    )
    model.save_pretrained(folder)
    if head:
        generator = torch.Generator().manual_seed(seed)
        weight = torch.randn(len(words), encoder.hidden_size, generator=generator)
        weights = {"weight": weight.half(), "bias": torch.zeros(len(words)).half()}
        save_file(weights, folder / "ctc_head.safetensors")
    TrOCRProcessor(pictures, words).save_pretrained(folder)
    # hub checkpoints of TrOCR carry preprocessor_config.json, not transformers 5's nested file
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures.to_dict()))
    (folder / "processor_config.json").unlink(missing_ok=True)
    return folder


def published(name: str, layers: int | None = None):
    """Return a network of the exact shape of `microsoft/trocr-NAME`, with random weights.

    `layers` cuts the depth of encoder and decoder. The shapes are those of the hub's `config.json`,
    which come from `convert_trocr_unilm_to_pytorch.py` of transformers.
    """
    import torch
    from transformers import (
        DeiTConfig,
        DeiTModel,
        TrOCRConfig,
        TrOCRForCausalLM,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTModel,
    )

    size = name.partition("-")[0]
    large = {"hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096}
    kind, model, deep, given = {
        "small": (
            DeiTConfig,
            DeiTModel,
            (12, 6),
            {"hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1536},
        ),
        "base": (ViTConfig, ViTModel, (12, 12), {"qkv_bias": False}),
        "large": (ViTConfig, ViTModel, (24, 12), {"qkv_bias": False} | large),
    }[size]
    depth = deep if layers is None else (layers, layers)
    encoder = kind(image_size=384, num_hidden_layers=depth[0], **given)
    changes = {}
    if size == "small":
        changes = {
            "vocab_size": 64044,
            "d_model": 256,
            "decoder_attention_heads": 8,
            "decoder_ffn_dim": 1024,
            "activation_function": "relu",
            "scale_embedding": True,
            "tie_word_embeddings": False,
        }
    elif name in ("large-printed", "base-stage1", "large-stage1"):
        changes = {
            "activation_function": "relu",
            "max_position_embeddings": 1024,
            "scale_embedding": True,
            "use_learned_position_embeddings": False,
            "layernorm_embedding": False,
            "tie_word_embeddings": False,
        }
    decoder = TrOCRConfig(
        decoder_layers=depth[1], cross_attention_hidden_size=encoder.hidden_size, **changes
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    with torch.device("meta"):
        network = VisionEncoderDecoderModel(
            config,
            encoder=model(encoder, add_pooling_layer=False),
            decoder=TrOCRForCausalLM(decoder),
        )
    # drawing half a billion numbers takes half a minute: a million of them, over and over
    numbers = torch.randn(1_000_003, generator=torch.Generator().manual_seed(1))
    network = network.to_empty(device="cpu").eval().requires_grad_(False)
    for key, weights in network.named_parameters():
        drawn = numbers.repeat(-(-weights.numel() // len(numbers)))[: weights.numel()]
        spread = 0.02 if ".embed" in key or weights.dim() == 1 else 3 * weights[0].numel() ** -0.5
        middle = 1.0 if "norm" in key and key.endswith("weight") else 0.0
        weights.copy_(drawn.view_as(weights) * spread + middle)
    network.decoder.tie_weights()
    places = network.decoder.model.decoder.embed_positions
    if not decoder.use_learned_position_embeddings:
        count, width = places.weights.shape
        places.weights = places.get_embedding(count, width, places.padding_idx)
    return network


def _characters():
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: index for index, token in enumerate([*_SPECIALS.values(), *CHARACTERS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=_SPECIALS["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **_SPECIALS
    )


def _bytes():
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaTokenizer

    trained = ByteLevelBPETokenizer(add_prefix_space=False)
    trained.train_from_iterator(
        _LINES * 20, vocab_size=320, special_tokens=[*_SPECIALS.values(), "<mask>"]
    )
    state = json.loads(trained.to_str())["model"]
    return RobertaTokenizer(
        vocab=state["vocab"], merges=[tuple(pair) for pair in state["merges"]], **_SPECIALS
    )
