"""Checkpoints opened from their files alone: the same as by transformers, or left to it."""

import json
import shutil

import numpy as np
import pytest
import torch
import trocr_checkpoint
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    AutoTokenizer,
    DeiTConfig,
    DeiTModel,
    TrOCRConfig,
    TrOCRForCausalLM,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTModel,
)

from flows.training.export import export
from flows.training.network import Network, Shape
from stages.recognisers.checkpoint import EMBEDDED, locate, open_checkpoint
from stages.recognisers.light import open_light
from stages.recognisers.reader import LineReader
from stages.recognisers.skeleton import Skeleton

pytestmark = pytest.mark.usefixtures("one_thread")

WEIGHTS = "model.safetensors"
TIED = "decoder.output_projection.weight"


def is_light(opened):
    return isinstance(opened.network, Skeleton)


def lines(opened, shape, dtype=torch.float32):
    """What its reader makes of noise, four pictures of (H, W)."""
    noise = np.random.default_rng(5).normal(0, 1, (4, 3, *shape)).astype(np.float32)
    return LineReader(opened, torch.device("cpu"), dtype, 24)(noise)


def same_weights(light, stock):
    """Every weight of the one is in the other, under the same name, and the same to the bit."""
    own, theirs = (dict(each.named_parameters()) for each in (light, stock))
    theirs.setdefault(TIED, theirs["decoder.model.decoder.embed_tokens.weight"])
    assert own.keys() == {name for name in theirs if ".pooler." not in name}
    return all(torch.equal(own[name], theirs[name]) for name in own)


def save(folder, random_trocr, *, deit=False, encoder=(), decoder=(), dtype=torch.float32):
    """A random checkpoint of another network, with the other files of `random_trocr`."""
    shutil.copytree(random_trocr, folder)
    kind, model = (DeiTConfig, DeiTModel) if deit else (ViTConfig, ViTModel)
    first = kind(
        **{
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "image_size": (16, 64),
            "patch_size": (16, 4),
            **dict(encoder),
        }
    )
    second = TrOCRConfig(
        **{
            "vocab_size": len(trocr_checkpoint.CHARACTERS) + 4,
            "d_model": 32,
            "decoder_layers": 2,
            "decoder_attention_heads": 2,
            "decoder_ffn_dim": 48,
            "max_position_embeddings": 24,
            "init_std": 0.6,
            **dict(decoder),
        }
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        made = VisionEncoderDecoderModel(
            VisionEncoderDecoderConfig.from_encoder_decoder_configs(first, second),
            encoder=model(first, add_pooling_layer=False),
            decoder=TrOCRForCausalLM(second),
        )
        with torch.no_grad():
            for name, weights in made.named_parameters():
                # transformers starts them at nothing, which would hide that one is forgotten
                if name.endswith("bias") or "norm" in name or "token" in name:
                    weights += torch.randn_like(weights) * 0.2
    made.to(dtype).save_pretrained(folder)
    return folder


NETWORKS = {
    "vit": {},
    "deit": {"deit": True},
    "half": {"dtype": torch.float16},
    "no query bias": {"encoder": {"qkv_bias": False}},
    "relu": {"encoder": {"hidden_act": "relu"}, "decoder": {"activation_function": "relu"}},
    "another epsilon": {"encoder": {"layer_norm_eps": 0.3}},
    "square": {"encoder": {"image_size": 16, "patch_size": 4}},
    "rows of patches": {"encoder": {"patch_size": (8, 8)}},
    "scaled": {"decoder": {"scale_embedding": True}},
    "no norm": {"decoder": {"layernorm_embedding": False}},
    "untied": {"decoder": {"tie_word_embeddings": False}},
    "bridge": {"encoder": {"hidden_size": 64}},
    "wide encoder": {
        "encoder": {"hidden_size": 64},
        "decoder": {"cross_attention_hidden_size": 64},
    },
}


@pytest.mark.parametrize("changes", NETWORKS.values(), ids=NETWORKS)
def test_light_when_any_network_of_its_kind_then_weights_and_lines_are_those_of_transformers(
    random_trocr, tmp_path, changes
):
    folder = save(tmp_path / "network", random_trocr, **changes)

    light, stock = open_light(folder, "network"), open_checkpoint(folder, "network")

    assert is_light(light)
    assert not is_light(stock)
    assert light.model == stock.model
    assert same_weights(light.network, stock.network)
    shape = light.network.config.encoder.image_size
    # to the bit: evidence too
    assert lines(light, shape) == lines(stock, shape)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_light_when_the_embedded_checkpoint_then_everything_is_that_of_transformers(dtype):
    folder = locate(EMBEDDED, False)

    light, stock = open_light(folder, EMBEDDED), open_checkpoint(folder, EMBEDDED)

    assert is_light(light)
    assert light.model == stock.model
    assert same_weights(light.network, stock.network)
    assert torch.equal(light.head.weight, stock.head.weight)
    assert torch.equal(light.head.bias, stock.head.bias)
    assert lines(light, (32, 256), dtype) == lines(stock, (32, 256), dtype)


def test_light_when_markwatch_trained_it_then_opened_without_transformers(tmp_path):
    shape = Shape(width=32, layers=1, decoder_layers=1, head_width=16)
    export(Network(shape), tmp_path / "trained")

    assert is_light(open_light(tmp_path / "trained", "trained"))


@pytest.fixture(scope="module")
def tokenizers():
    """That of the embedded checkpoint: opened here, and by transformers."""
    folder = locate(EMBEDDED, False)
    stock = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return open_light(folder, EMBEDDED).processor.tokenizer, stock


@given(tokens=st.lists(st.integers(0, 94), max_size=30))
def test_light_when_tokens_are_spelt_then_as_by_transformers(tokenizers, tokens):
    own, theirs = tokenizers

    assert len(own) == len(theirs) == 95
    assert own.unk_token_id == theirs.unk_token_id
    assert set(own.all_special_ids) == set(theirs.all_special_ids)
    text = theirs.decode(tokens, skip_special_tokens=True)
    assert own.decode(tokens, skip_special_tokens=True) == text
    assert own.batch_decode([tokens, []], skip_special_tokens=True) == [text, ""]
    ids = theirs.encode(text, add_special_tokens=False)
    assert own.encode(text, add_special_tokens=False) == ids


def change(name, *path, **fields):
    """Alter a JSON file: set fields, or drop those that are given as None."""

    def spoil(folder):
        document = json.loads((folder / name).read_text())
        part = document
        for key in path:
            part = part[key]
        for key, value in fields.items():
            if value is None:
                del part[key]
            else:
                part[key] = value
        (folder / name).write_text(json.dumps(document))

    return spoil


def put(name, text="{}"):
    return lambda folder: (folder / name).write_text(text)


def shard(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    halves = {"model-00001-of-00002.safetensors": {}, "model-00002-of-00002.safetensors": {}}
    places = {}
    for at, (name, each) in enumerate(weights.items()):
        file = list(halves)[at % 2]
        halves[file][name] = each
        places[name] = file
    for file, part in halves.items():
        save_file(part, folder / file, {"format": "pt"})
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))


UNKNOWN = {
    "a field that it does not know": change("config.json", "encoder", head_dim=16),
    "a field that transformers would fill in": change("config.json", "decoder", eos_token_id=None),
    "another activation": change("config.json", "encoder", hidden_act="quick_gelu"),
    "sharded weights": shard,
    "another file": put("special_tokens_map.json"),
    "generation settings that say less": change("generation_config.json", pad_token_id=None),
    "pixels that are not normalised": change("preprocessor_config.json", do_normalize=False),
    "pixels that are cropped": change(
        "preprocessor_config.json", do_center_crop=True, crop_size={"height": 16, "width": 64}
    ),
    "a processor of another kind": change(
        "preprocessor_config.json", image_processor_type="DeiTImageProcessor", do_center_crop=False
    ),
    "texts that are cleaned up": change("tokenizer_config.json", clean_up_tokenization_spaces=True),
    "another special token": change("tokenizer_config.json", mask_token="A"),
}


@pytest.mark.parametrize("spoil", UNKNOWN.values(), ids=UNKNOWN)
def test_light_when_there_is_something_that_it_does_not_know_then_transformers_opens_it(
    random_trocr, tmp_path, spoil
):
    folder = shutil.copytree(random_trocr, tmp_path / "copy")
    assert is_light(open_light(folder, "copy"))

    spoil(folder)

    assert isinstance(open_light(folder, "copy").network, VisionEncoderDecoderModel)


def test_light_when_places_are_sinusoids_then_transformers_opens_it(random_trocr, tmp_path):
    changes = {"use_learned_position_embeddings": False}
    folder = save(tmp_path / "network", random_trocr, decoder=changes)

    assert not is_light(open_light(folder, "network"))


def test_light_when_the_tokens_are_bytes_of_roberta_then_transformers_opens_it(random_bytes_trocr):
    assert not is_light(open_light(random_bytes_trocr, "bytes"))


def test_light_when_a_weight_has_another_shape_then_not_taken(random_trocr, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(random_trocr, tmp_path / "copy")
    weights = load_file(folder / WEIGHTS)
    name = "encoder.encoder.layer.0.output.dense.weight"
    save_file(weights | {name: weights[name][:, :-1].contiguous()}, folder / WEIGHTS)

    with pytest.raises(Exception, match="does not open as a TrOCR checkpoint"):
        open_light(folder, "copy")
