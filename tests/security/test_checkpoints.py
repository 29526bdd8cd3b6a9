"""A checkpoint is data: nothing of it is ever unpickled or run."""

from __future__ import annotations

import json
import pickle

import pytest

from stages.errors import PluginError
from stages.recognisers.light import open_light


class Bomb:
    """What a pickle would do to whoever opens it."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('run by a checkpoint')",))


def checkpoint(folder, config, weights):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / weights).write_bytes(pickle.dumps(Bomb()))
    return folder


def test_open_when_the_weights_are_pickled_then_they_are_refused_in_one_line(tmp_path):
    folder = checkpoint(
        tmp_path / "pickled", {"model_type": "vision-encoder-decoder"}, "pytorch_model.bin"
    )
    with pytest.raises(PluginError, match=r"no \*\.safetensors; choose a checkpoint") as refused:
        open_light(folder, "pickled")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["model.safetensors", "ctc_head.safetensors"])
def test_open_when_a_pickle_is_called_safetensors_then_it_is_not_run(tmp_path, name):
    folder = checkpoint(tmp_path / "lying", {"model_type": "vision-encoder-decoder"}, name)
    with pytest.raises(PluginError) as refused:
        open_light(folder, "lying")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "file", ["config.json", "preprocessor_config.json", "tokenizer_config.json", "other.json"]
)
def test_open_when_a_checkpoint_brings_code_then_it_is_refused_and_not_run(
    tmp_path, file, monkeypatch
):
    folder = checkpoint(tmp_path / "coded", {"model_type": "coded"}, "model.safetensors")
    code = {"auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    (folder / file).write_text(json.dumps({"model_type": "coded", "nested": [code]}))
    (folder / "evil.py").write_text("raise SystemExit('run by a checkpoint')")
    # transformers would ask the terminal whether to trust it.
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asks"))
    with pytest.raises(PluginError, match="wants to run code of its own") as refused:
        open_light(folder, "coded")
    assert file in str(refused.value) and "\n" not in str(refused.value)
