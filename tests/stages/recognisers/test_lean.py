"""Lean decoding is `generate`'s greedy decoding, token for token, and its probabilities."""

import collections
import itertools
import math
import os
import re
from types import SimpleNamespace

import pytest
import torch
import trocr_checkpoint
from transformers import (
    GenerationConfig,
    TrOCRConfig,
    TrOCRForCausalLM,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTModel,
)
from transformers.modeling_outputs import BaseModelOutput

from stages.recognisers.lean import LeanDecoder
from stages.recognisers.reader import LineReader

pytestmark = pytest.mark.usefixtures("one_thread")

START, PAD, END = 2, 1, 2
WORDS = 60


def network(*, width=32, **changes):
    """A little network with a lively decoder; `width` is the encoder's."""
    encoder = ViTConfig(
        hidden_size=width,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=(8, 32),
        patch_size=(8, 4),
    )
    settings = {
        "vocab_size": WORDS,
        "d_model": 32,
        "decoder_layers": 2,
        "decoder_attention_heads": 4,
        "decoder_ffn_dim": 48,
        "max_position_embeddings": 24,
        "init_std": 0.6,
        **changes,
    }
    decoder = TrOCRConfig(**settings)
    torch.manual_seed(5)
    made = VisionEncoderDecoderModel(
        VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder),
        encoder=ViTModel(encoder, add_pooling_layer=False),
        decoder=TrOCRForCausalLM(decoder),
    )
    # transformers starts biases at nothing, which would hide that one is forgotten
    with torch.no_grad():
        for name, weights in made.named_parameters():
            if name.endswith("bias") or "norm" in name:
                weights += torch.randn_like(weights) * 0.2
    return made.eval().requires_grad_(False)


def states(count=5, width=32, length=9):
    return torch.randn(count, length, width, generator=torch.Generator().manual_seed(7)) * 3


def generated(made, encoded, ends, limit):
    """What transformers itself decodes: each row's tokens, the end included, and its logits."""
    settings, made.generation_config = made.generation_config, GenerationConfig()
    answer = made.generate(
        encoder_outputs=BaseModelOutput(encoded),
        generation_config=GenerationConfig(
            decoder_start_token_id=START,
            pad_token_id=PAD,
            eos_token_id=ends,
            max_length=limit,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        ),
    )
    made.generation_config = settings
    rows = []
    for row in answer.sequences[:, 1:].tolist():
        length = next((at + 1 for at, token in enumerate(row) if token in ends), len(row))
        rows.append(row[:length])
    return rows, torch.stack(answer.logits, 1)


def tokens(lines):
    return [[step.token for step in (*line.steps, *filter(None, [line.end]))] for line in lines]


def likely_ends(made, encoded):
    """Two tokens that end the rows at as many different places as can be."""
    rows, _ = generated(made, encoded, [-1], 24)

    def lengths(ends):
        return {next((at for at, token in enumerate(row) if token in ends), 24) for row in rows}

    pairs = itertools.combinations(sorted({token for row in rows for token in row}), 2)
    return list(max(pairs, key=lambda pair: len(lengths(pair) - {0})))


CONFIGS = {
    "learned places": {},
    "sinusoids": {"use_learned_position_embeddings": False},
    "scaled": {"scale_embedding": True},
    "no norm": {"layernorm_embedding": False},
    "relu": {"activation_function": "relu"},
    "another activation": {"activation_function": "gelu_new"},
    "tied": {"tie_word_embeddings": True},
    "untied": {"tie_word_embeddings": False},
    "one layer, one head": {"decoder_layers": 1, "decoder_attention_heads": 1},
    "wide encoder": {"width": 64, "cross_attention_hidden_size": 64},
    "bridge": {"width": 64},
    "large-printed": {
        "use_learned_position_embeddings": False,
        "scale_embedding": True,
        "layernorm_embedding": False,
        "activation_function": "relu",
        "tie_word_embeddings": False,
    },
}


@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS)
def test_greedy_when_any_configuration_then_the_tokens_are_those_of_generate(changes):
    made, encoded = network(**changes), states(width=changes.get("width", 32))
    ends = likely_ends(made, encoded)
    expected, logits = generated(made, encoded, ends, 24)

    lines = LeanDecoder(made, START, ends, 24).greedy(encoded)

    assert tokens(lines) == expected
    assert len({len(row) for row in expected}) > 2
    for line, row in zip(lines, logits.softmax(-1), strict=True):
        for step, chances in zip((*line.steps, *filter(None, [line.end])), row, strict=False):
            assert step.probability == pytest.approx(float(chances[step.token]), rel=1e-3)
            assert step.end == pytest.approx(float(chances[ends].sum()), rel=1e-3)
            best = [token for token in chances.argsort(descending=True) if token != step.token]
            assert [token for token, _ in step.others] == best[:4]


def test_greedy_when_padding_is_the_likeliest_token_then_it_has_no_place_with_sinusoids():
    made = network(use_learned_position_embeddings=False, tie_word_embeddings=False)
    encoded = states()
    rows, _ = generated(made, encoded, [WORDS - 1], 24)
    often = collections.Counter(token for row in rows for token in row).most_common(1)[0][0]
    weight = made.decoder.output_projection.weight
    weight[[PAD, often]] = weight[[often, PAD]]
    expected, _ = generated(made, encoded, [WORDS - 1], 24)
    assert any(PAD in row[:-1] for row in expected)

    assert tokens(LeanDecoder(made, START, [WORDS - 1], 24).greedy(encoded)) == expected


def test_greedy_when_sinusoids_come_from_a_file_then_they_are_there(tmp_path):
    # transformers 5.23 itself opens such a checkpoint with places without numbers
    made, encoded = network(use_learned_position_embeddings=False), states()
    made.save_pretrained(tmp_path)
    opened = VisionEncoderDecoderModel.from_pretrained(tmp_path).eval().requires_grad_(False)

    lines = LeanDecoder(opened, START, [WORDS - 1], 24).greedy(encoded)

    assert tokens(lines) == generated(made, encoded, [WORDS - 1], 24)[0]


@pytest.mark.parametrize("limit", [2, 3, 7])
def test_greedy_when_the_text_is_too_long_then_it_is_cut_and_says_so(limit):
    made, encoded = network(), states()

    lines = LeanDecoder(made, START, [WORDS - 1], limit).greedy(encoded)

    assert tokens(lines) == generated(made, encoded, [WORDS - 1], limit)[0]
    assert [len(line.steps) for line in lines] == [limit - 1] * len(lines)
    assert all(line.end is None for line in lines)


def test_greedy_when_there_is_no_end_token_then_every_text_is_cut():
    lines = LeanDecoder(network(), START, [], 5).greedy(states(2))

    assert [(len(line.steps), line.end) for line in lines] == [(4, None)] * 2
    assert all(step.end == 0 for line in lines for step in line.steps)


def test_greedy_when_rows_end_then_the_others_read_as_if_alone():
    made, encoded = network(), states(9)
    ends = likely_ends(made, encoded)
    decoder = LeanDecoder(made, START, ends, 24)

    together = decoder.greedy(encoded)

    alone = [decoder.greedy(encoded[at : at + 1])[0] for at in range(9)]
    assert tokens(together) == tokens(alone)
    for one, other in zip(together, alone, strict=True):
        chances = [step.probability for step in other.steps]
        assert [step.probability for step in one.steps] == pytest.approx(chances, rel=1e-3)


def wrong_at(row, at):
    return [*row[:at], (row[at] + 1) % WORDS, *row[at + 1 :]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: row,
        lambda row: [],
        lambda row: wrong_at(row, 0),
        lambda row: wrong_at(row, len(row) - 1),
        lambda row: wrong_at(row, len(row) // 2),
        lambda row: row[: len(row) // 2],
        lambda row: [*row, 7, 8, 9],
        lambda row: row[1:],
        lambda row: [7] * 40,
    ],
    ids=["right", "empty", "first", "last", "middle", "short", "long", "shifted", "nonsense"],
)
def test_greedy_when_drafts_are_given_then_the_lines_are_the_same(spoil):
    made, encoded = network(), states(7)
    ends = likely_ends(made, encoded)
    decoder = LeanDecoder(made, START, ends, 24)
    plain = decoder.greedy(encoded)
    right = [[step.token for step in line.steps] for line in plain]
    # one row keeps its draft whole, so that rows go on from different places
    drafts = [right[0], *map(spoil, right[1:])]

    drafted = decoder.greedy(encoded, drafts)

    assert tokens(drafted) == tokens(plain)
    for one, other in zip(drafted, plain, strict=True):
        assert (one.end is None) == (other.end is None)
        chances = [step.probability for step in other.steps]
        assert [step.probability for step in one.steps] == pytest.approx(chances, rel=1e-3)
        assert one.margin == pytest.approx(other.margin, abs=1e-3)


def test_greedy_when_a_draft_goes_on_after_the_end_then_the_text_does_not():
    made, encoded = network(), states(4)
    decoder = LeanDecoder(made, START, likely_ends(made, encoded), 24)
    plain = tokens(decoder.greedy(encoded))
    # what the decoder itself would say after its end
    endless = tokens(LeanDecoder(made, START, [], 24).greedy(encoded))
    assert min(len(row) for row in plain) < 23

    assert tokens(decoder.greedy(encoded, endless)) == plain


def test_greedy_when_the_draft_is_right_then_the_decoder_is_asked_once(monkeypatch):
    made, encoded = network(), states(4)
    decoder = LeanDecoder(made, START, likely_ends(made, encoded), 24)
    drafts = [[step.token for step in line.steps] for line in decoder.greedy(encoded)]
    passes = []
    ask = decoder._logits
    monkeypatch.setattr(decoder, "_logits", lambda *given: passes.append(1) or ask(*given))

    decoder.greedy(encoded, drafts)

    assert len(passes) == 1


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")
def test_greedy_when_drafts_have_any_length_then_few_products_are_compiled(capfd):
    """oneDNN keeps the code for each count of rows, and a process would grow by each."""
    made, encoded = network(), states(4)
    decoder = LeanDecoder(made, START, [], 24)
    whole = tokens(decoder.greedy(encoded))
    lengths = range(1, 23)

    with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
        for length in lengths:
            decoder.greedy(encoded, [row[:length] for row in whole])

    rows = set(re.findall(r"inner_product.*mb(\d+)ic", capfd.readouterr().out))
    # of the pictures' states, and of the drafts
    assert rows == {str(4 * encoded.shape[1]), *map(str, (32, 64, 96))}


def test_greedy_when_the_network_computes_nan_then_it_says_what_to_do():
    encoded = states(2)
    encoded[1, 0, 0] = torch.nan

    with pytest.raises(ValueError, match=r"NaN.*float32"):
        LeanDecoder(network(), START, [END], 6).greedy(encoded)


@pytest.mark.parametrize("name", ["small-printed", "base-handwritten", "large-printed"])
def test_reader_when_the_shape_is_a_published_one_then_the_tokens_are_those_of_generate(name):
    """A layer of each; with MARKWATCH_FULL_SIZE set, all of them (minutes, 5 GB)."""
    full = bool(os.environ.get("MARKWATCH_FULL_SIZE"))
    made = trocr_checkpoint.published(name, None if full else 1)
    count, limit = (3, 40) if full else (1, 5)
    # no text of random weights ends with it
    ends = [17]
    made.generation_config.eos_token_id = ends
    pixels = torch.randn(count, 3, 384, 384, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        encoded = made.encoder(pixel_values=pixels).last_hidden_state
        expected, _ = generated(made, encoded, ends, limit)

    read = LineReader(
        SimpleNamespace(network=made, head=None), torch.device("cpu"), torch.float32, limit
    )(pixels.numpy())

    assert tokens(read) == expected
    assert len({token for row in expected for token in row}) > 1


def voted(made, looks, limit):
    """Greedy decoding by the geometric mean of the looks, one stock pass for each token."""
    told = [START]
    while len(told) < limit:
        logits = made.decoder(
            input_ids=torch.tensor([told] * len(looks)), encoder_hidden_states=looks
        ).logits[:, -1]
        told.append(int(logits.log_softmax(-1).mean(0).argmax()))
        if told[-1] == END:
            break
    return told[1:]


@pytest.mark.parametrize("draft", [[], [9, 9, 9], list(range(5, 27))])
def test_together_when_looks_differ_then_the_tokens_of_their_mean_whatever_the_draft(draft):
    made = network()
    decoder = LeanDecoder(made, START, [END], 24)
    with torch.inference_mode():
        looks = states(count=4)
        expected = voted(made, looks, 24)
        (alone,) = tokens([decoder.together(looks, draft)])
        (right,) = tokens([decoder.together(looks, [each for each in expected if each != END])])
    assert alone == right == expected


def test_together_when_there_is_one_look_then_greedy_s_line():
    made = network()
    with torch.inference_mode():
        decoder = LeanDecoder(made, START, likely_ends(made, states()), 24)
        for row, line in zip(states(), decoder.greedy(states()), strict=True):
            (again,) = tokens([decoder.together(row[None], [])])
            assert [again] == tokens([line])


def test_spelt_when_the_text_is_what_the_looks_spell_then_the_line_of_together():
    made, encoded = network(), states(3)
    fifth = LeanDecoder(made, START, [-1], 24).together(encoded, []).steps[4].token
    decoder = LeanDecoder(made, START, [fifth], 24)
    expected = decoder.together(encoded, [])

    line = decoder.spelt(encoded, [step.token for step in expected.steps])

    assert expected.end is not None
    assert tokens([line]) == tokens([expected])
    assert line.probability == pytest.approx(expected.probability, rel=1e-4)


def test_spelt_when_the_text_is_another_then_its_probability_is_that_of_feeding_it():
    made, encoded = network(), states(3)
    ends = likely_ends(made, encoded)
    decoder = LeanDecoder(made, START, ends, 24)
    text = [token for token in range(4, 12) if token not in ends]

    line = decoder.spelt(encoded, text)

    branches = decoder.branches(encoded, 1)
    log, fed = 0.0, START
    for token in text:
        log += float(branches.feed([0], [fed])[0, token])
        fed = token
    log += float(branches.feed([0], [fed])[0, ends].max())
    assert [step.token for step in line.steps] == text
    assert line.end.token in ends
    assert math.log(line.probability) == pytest.approx(log, rel=1e-4)
