"""The `trocr` recogniser on small random checkpoints: same text as the stock library, and quiet."""

import hashlib
import json
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
import trocr_checkpoint
from PIL import Image

from stages.errors import PluginError
from stages.recognisers.trocr import TrocrRecogniser

pytestmark = pytest.mark.usefixtures("one_thread")

HEAD = "ctc_head.safetensors"
WORDS = ("LOT 4711", "A", "00123456", "EXP 31.12.27", "x:y")


def engine(folder, **options):
    options = {"encoder_dtype": "float32", "device": "cpu", **options}
    return TrocrRecogniser(TrocrRecogniser.Options(checkpoint=str(folder), **options))


def read(folder, crops, **options):
    with engine(folder, **options) as opened:
        return opened.read(crops, [None] * len(crops))


def stock(folder, crop):
    """What transformers itself says: the text, and each token's text and probability."""
    import torch
    from transformers import TrOCRProcessor, VisionEncoderDecoderModel

    processor = TrOCRProcessor.from_pretrained(folder, backend="pil")
    model = VisionEncoderDecoderModel.from_pretrained(folder).eval()
    pixels = processor(images=[crop], return_tensors="pt").pixel_values
    with torch.inference_mode():
        answer = model.generate(
            pixels,
            max_length=48,
            num_beams=1,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        )
    (text,) = processor.batch_decode(answer.sequences, skip_special_tokens=True)
    pieces = processor.batch_decode(answer.sequences[0, 1:, None], skip_special_tokens=True)
    chances = [float(logits[0].softmax(-1).max()) for logits in answer.logits]
    return text.strip(), list(zip(pieces, chances, strict=True))


def another_decoder(folder):
    settings = json.loads((folder / "config.json").read_text())
    settings["decoder"] = {"model_type": "gpt2"}
    (folder / "config.json").write_text(json.dumps(settings))


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to reach another machine fails the test, whoever swallows the error."""
    attempts = []

    def refuse(*arguments, **_):
        attempts.append(arguments)
        raise OSError("no network in this test")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield
    assert attempts == []


@pytest.mark.parametrize("fixture", ["random_trocr", "random_bytes_trocr"])
def test_trocr_when_read_then_the_text_is_that_of_stock_transformers(request, line, fixture):
    folder = request.getfixturevalue(fixture)
    crops = [line(word) for word in WORDS]

    transcripts = read(folder, crops)

    texts = [each.text for each in transcripts]
    assert texts == [stock(folder, crop)[0] for crop in crops]
    assert len(set(texts)) > 1


@pytest.mark.parametrize("word", WORDS)
def test_trocr_when_one_token_per_character_then_its_unconstrained_probability(
    random_trocr, line, word
):
    crop = line(word)

    (transcript,) = read(random_trocr, [crop])

    # special tokens have no text; spaces at the ends were stripped
    spoken = [(piece, chance) for piece, chance in stock(random_trocr, crop)[1] if piece]
    while spoken[0][0] == " ":
        del spoken[0]
    while spoken[-1][0] == " ":
        del spoken[-1]
    assert [each.char for each in transcript.characters] == [piece for piece, _ in spoken]
    # beside what is hidden by special tokens and outer spaces; random weights say many of them
    chances = [each.confidence for each in transcript.characters]
    expected = [chance for _, chance in spoken]
    assert all(one <= other + 1e-4 for one, other in zip(chances, expected, strict=True))
    same = [abs(one - other) < 1e-4 for one, other in zip(chances, expected, strict=True)]
    assert sum(same) > len(same) / 2


@pytest.mark.parametrize("fixture", ["random_trocr", "random_bytes_trocr"])
def test_trocr_when_read_then_evidence_is_bounded_and_joins_to_the_text(request, line, fixture):
    folder = request.getfixturevalue(fixture)

    for transcript in read(folder, [line(word) for word in WORDS]):
        assert "".join(each.char for each in transcript.characters) == transcript.text
        for each in transcript.characters:
            assert 0 <= each.confidence <= 1
            assert each.alternative != each.char
            if each.alternative is not None:
                assert 0 <= each.alternative_confidence <= 1
                assert each.confidence + each.alternative_confidence <= 1 + 1e-6


def test_trocr_when_the_text_is_long_then_it_is_not_cut_at_20_tokens(random_trocr, line):
    # the checkpoint's own generation_config.json says 20
    settings = json.loads((random_trocr / "generation_config.json").read_text())
    assert settings["max_length"] == 20

    transcripts = read(random_trocr, [line(word) for word in WORDS])

    assert max(len(each.text) for each in transcripts) > 30


def test_trocr_when_max_tokens_is_set_then_no_text_is_longer(random_trocr, line):
    transcripts = read(random_trocr, [line(word) for word in WORDS], max_tokens=6)

    assert 0 < max(len(each.text) for each in transcripts) <= 5
    assert {each.characters[-1].confidence for each in transcripts if each.text} == {0.0}


def test_trocr_when_the_checkpoint_bans_repeats_then_repeats_are_read_all_the_same(
    random_trocr, line, tmp_path
):
    folder = shutil.copytree(random_trocr, tmp_path / "copy")
    settings = json.loads((folder / "generation_config.json").read_text())
    settings |= {"no_repeat_ngram_size": 1, "num_beams": 4, "early_stopping": True}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    crops = [line(word) for word in WORDS]

    assert read(folder, crops) == read(random_trocr, crops)


def test_trocr_when_batches_differ_then_every_crop_reads_the_same(random_trocr, line):
    crops = [line(word) for word in WORDS]

    together, alone = read(random_trocr, crops), read(random_trocr, crops, batch_size=1)

    assert [each.text for each in together] == [each.text for each in alone]
    for one, other in zip(together, alone, strict=True):
        assert np.allclose(
            [each.confidence for each in one.characters],
            [each.confidence for each in other.characters],
            atol=1e-3,
        )


def test_trocr_when_some_crops_are_blank_then_they_alone_are_empty(random_trocr, line):
    blank = np.full((40, 200, 3), 200, np.uint8)
    crop = line("LOT 4711")

    transcripts = read(random_trocr, [blank, crop, blank])

    assert [each.text for each in transcripts] == ["", stock(random_trocr, crop)[0], ""]


def test_trocr_when_the_checkpoint_is_grey_then_it_reads(line, tmp_path):
    folder = trocr_checkpoint.make(tmp_path / "grey", channels=1)
    crop = line("LOT 4711")

    colour, grey = read(folder, [crop, np.ascontiguousarray(crop[..., 0])])

    assert colour.text == grey.text != ""


@pytest.fixture(scope="module")
def with_head(tmp_path_factory):
    """The random checkpoint again, and a random CTC head."""
    folder = tmp_path_factory.mktemp("checkpoint") / "with-head"
    return trocr_checkpoint.make(folder, head=True)


def test_trocr_when_there_is_a_ctc_head_then_the_texts_stay_those_of_greedy_decoding(
    random_trocr, with_head, line
):
    crops = [line(word) for word in WORDS]

    with engine(with_head) as opened:
        lines, transcripts = opened.lines(crops), opened.read(crops, [None] * len(crops))

    assert [each.text for each in transcripts] == [each.text for each in read(random_trocr, crops)]
    # a random head agrees with nobody
    assert {each.draft_agrees for each in lines} == {False}
    assert all(0 <= each.draft_probability < 0.01 for each in lines)


def test_trocr_when_there_is_no_ctc_head_then_the_lines_say_nothing_of_drafts(random_trocr, line):
    blank = np.full((40, 200, 3), 200, np.uint8)

    with engine(random_trocr) as opened:
        first, nothing = opened.lines([line("A"), blank])

    assert (first.draft_agrees, first.draft_probability, nothing) == (None, None, None)


def test_trocr_when_the_draft_is_the_text_then_it_agrees(with_head, line, monkeypatch):
    from stages.recognisers.draft import CtcHead

    crops = [line(word) for word in WORDS]
    with engine(with_head) as opened:
        texts = [[step.token for step in each.steps] for each in opened.lines(crops)]
        monkeypatch.setattr(CtcHead, "drafts", lambda *_: texts)

        assert all(each.draft_agrees for each in opened.lines(crops))


def test_trocr_when_the_ctc_head_has_another_shape_then_refused(with_head, tmp_path):
    import torch
    from safetensors.torch import save_file

    folder = shutil.copytree(with_head, tmp_path / "copy")
    save_file({"weight": torch.zeros(7, 32), "bias": torch.zeros(7)}, folder / HEAD)

    with pytest.raises(PluginError, match=r"ctc_head\.safetensors is not a map from 32"):
        engine(folder).__enter__()


def test_trocr_when_there_is_nothing_but_a_ctc_head_then_refused(with_head, tmp_path):
    folder = shutil.copytree(with_head, tmp_path / "copy")
    (folder / "model.safetensors").unlink()

    with pytest.raises(PluginError, match=r"has no .*safetensors"):
        engine(folder).__enter__()


def test_trocr_when_colour_and_grey_crops_are_mixed_then_each_reads_as_alone(random_trocr, line):
    crops = [
        line("LOT 4711"),
        line("LOT 4711", ink=(200, 20, 30)),
        np.ascontiguousarray(line("A")[..., 0]),
        line("7"),
    ]

    together = read(random_trocr, crops)

    colour = [np.dstack([crop] * 3) if crop.ndim == 2 else crop for crop in crops]
    assert [each.text for each in together] == [stock(random_trocr, crop)[0] for crop in colour]


def golden(folder, *pairs):
    """Put golden pictures, (crop, text) each, beside a checkpoint."""
    entries = []
    for at, (crop, text) in enumerate(pairs):
        Image.fromarray(crop).save(folder / f"{at}.png")
        entries.append({"file": f"{at}.png", "text": text})
    (folder / "golden.json").write_text(json.dumps(entries))
    return folder


def test_trocr_when_golden_pictures_read_right_then_it_opens(random_trocr, line, tmp_path):
    folder = shutil.copytree(random_trocr, tmp_path / "copy")
    crops = [line("LOT 4711"), line("A")]
    golden(folder, *((crop, stock(folder, crop)[0]) for crop in crops))

    assert len(read(folder, crops)) == 2


@pytest.mark.parametrize(
    ("dtype", "remedy"), [("float32", "another release of torch"), ("bfloat16", "encoder_dtype: ")]
)
def test_trocr_when_a_golden_picture_is_misread_then_one_line_names_machine_and_remedy(
    random_trocr, line, tmp_path, dtype, remedy
):
    folder = golden(shutil.copytree(random_trocr, tmp_path / "copy"), (line("A"), ":"))

    with pytest.raises(PluginError, match=rf"0\.png as .*':', on this .* in {dtype}; .*{remedy}"):
        engine(folder, encoder_dtype=dtype).__enter__()


def test_trocr_when_bfloat16_misreads_then_float32_is_taken_by_itself(
    random_trocr, line, tmp_path, monkeypatch
):
    import torch

    from stages.recognisers import trocr, vit

    crop = line("LOT 4711")
    folder = shutil.copytree(random_trocr, tmp_path / "copy")
    golden(folder, (crop, stock(folder, crop)[0]))
    monkeypatch.setattr(trocr, "_encoder_dtype", lambda *_: torch.bfloat16)
    # kernels that compute nonsense are rarely in doubt
    monkeypatch.setattr("stages.recognisers.reader._CLOSE_NATS", 0.0)
    encoder_of = vit.encoder_of

    def broken(encoder, dtype):
        """A machine whose kernels compute nothing in bfloat16."""
        made = encoder_of(encoder, dtype)
        return made if dtype == torch.float32 else lambda pixels: made(pixels) * 0

    monkeypatch.setattr("stages.recognisers.reader.encoder_of", broken)

    (transcript,) = read(folder, [crop], encoder_dtype="auto")

    assert transcript.text == stock(folder, crop)[0]


def test_trocr_when_the_encoder_is_bfloat16_then_it_reads_about_the_same(random_trocr, line):
    crops = [line(word) for word in WORDS]

    exact, rough = read(random_trocr, crops), read(random_trocr, crops, encoder_dtype="bfloat16")

    for one, other in zip(exact, rough, strict=True):
        assert one.text[:1] == other.text[:1]
        assert one.characters[0].confidence == pytest.approx(
            other.characters[0].confidence, abs=0.05
        )


@pytest.mark.parametrize(
    ("fixture", "imported"),
    [("random_trocr", []), ("random_bytes_trocr", ["torch._dynamo", "transformers"])],
)
def test_trocr_when_opened_and_read_in_a_fresh_process_then_silent_and_offline(
    request, fixture, imported
):
    script = f"""
import socket, sys
def refuse(*_, **__):
    raise AssertionError("a network attempt")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
import numpy as np
from stages.recognisers.trocr import TrocrRecogniser
crop = np.full((40, 200, 3), 200, np.uint8)
crop[10:30, 20:90] = 30
folder = {str(request.getfixturevalue(fixture))!r}
with TrocrRecogniser(TrocrRecogniser.Options(checkpoint=folder)) as engine:
    assert engine.read([crop], [None])[0].text
print(sorted({{"torch._dynamo", "transformers"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{imported}\n", "")


def test_trocr_when_opened_then_transformers_is_as_talkative_as_before(random_bytes_trocr):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()

    with engine(random_bytes_trocr):
        pass

    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_trocr_when_opened_then_the_model_names_the_weights(random_trocr):
    expected = hashlib.sha256((random_trocr / "model.safetensors").read_bytes()).hexdigest()[:8]

    with engine(random_trocr) as opened:
        assert opened.model == f"random-trocr@{expected}"


def test_trocr_when_a_hub_id_is_not_here_then_the_error_says_how_to_fetch_it(
    no_network, monkeypatch, tmp_path
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(PluginError, match=r"hf download nobody/no-such-model.*allow_download"):
        engine("nobody/no-such-model").__enter__()


def test_trocr_when_the_path_is_wrong_then_the_error_names_it(no_network, tmp_path):
    with pytest.raises(PluginError, match="there is no folder"):
        engine(tmp_path / "nothing" / "here").__enter__()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "has no .*safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "does not open"),
        (lambda folder: (folder / "config.json").write_text("{"), "does not open"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "vit"}'), "vit model"),
        (lambda folder: another_decoder(folder), "decoder is gpt2, not trocr"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "does not open"),
    ],
)
def test_trocr_when_the_checkpoint_is_damaged_then_one_line_says_so(
    random_trocr, tmp_path, no_network, damage, expected
):
    folder = shutil.copytree(random_trocr, tmp_path / "copy")
    damage(folder)

    with pytest.raises(PluginError, match=expected) as caught:
        engine(folder).__enter__()

    assert "\n" not in str(caught.value)


def test_trocr_when_weights_are_missing_then_refused(random_trocr, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(random_trocr, tmp_path / "copy")
    weights = load_file(folder / "model.safetensors")
    del weights["decoder.model.decoder.layers.0.fc1.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})

    with pytest.raises(PluginError, match="1 weights are missing"):
        engine(folder).__enter__()


def test_trocr_when_the_device_is_unknown_then_the_error_names_it(random_trocr):
    with pytest.raises(PluginError, match="device: abacus"):
        engine(random_trocr, device="abacus").__enter__()


@pytest.mark.parametrize(
    ("few", "asked", "used"), [(10**9, {}, 1), (0, {}, 3), (10**9, {"threads": 2}, 2)]
)
def test_trocr_when_threads_are_not_chosen_then_a_small_network_takes_one(
    random_trocr, monkeypatch, few, asked, used
):
    import torch

    monkeypatch.setattr("stages.recognisers.trocr._FEW_WEIGHTS", few)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with engine(random_trocr, **asked):
            assert torch.get_num_threads() == used
    finally:
        torch.set_num_threads(before)
