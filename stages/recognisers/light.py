"""A checkpoint opened from its files alone, without transformers, where they leave nothing open.

What `markwatch train` makes is such a checkpoint, the embedded one included. Whatever could make
the stock classes do something that is not done here, if only a field that they would fill in, is
left to them: texts and evidence are the same either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from stages.recognisers.checkpoint import HEAD, Checkpoint, ctc_head, model_name, open_checkpoint
from stages.recognisers.described import Config, Generation, Pictures, TokenizerFile, Words

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_WEIGHTS = "model.safetensors"

_JSON = frozenset(
    {
        "config.json",
        "generation_config.json",
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        # markwatch's own
        "calibration.json",
        "golden.json",
    }
)
"""Any other JSON file beside the weights, such as an adapter's, may mean something to them."""


def open_light(folder: Path, name: str) -> Checkpoint:
    """Open the checkpoint in `folder`, by transformers if its files alone do not tell everything.

    Raises:
        PluginError: it is not a whole TrOCR checkpoint in safetensors.
    """
    return _from_files(folder, name) or open_checkpoint(folder, name)


def _from_files(folder: Path, name: str) -> Checkpoint | None:
    """The checkpoint as its files describe it; None where they leave something open."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from stages.recognisers.skeleton import Skeleton
    except ImportError:
        return None
    try:
        if not {path.name for path in folder.glob("*.json")} <= _JSON:
            return None
        config = Config.model_validate_json(_text(folder, "config.json"))
        generation = Generation.model_validate_json(_text(folder, "generation_config.json"))
        pictures = Pictures.model_validate_json(_text(folder, "preprocessor_config.json"))
        words = Words.model_validate_json(_text(folder, "tokenizer_config.json"))
        processor = SimpleNamespace(
            image_processor=pictures.stretch(config.encoder.num_channels),
            tokenizer=Spelling(_tokenizer(_text(folder, "tokenizer.json")), words.specials),
        )
        network = Skeleton(config, generation, load_file(folder / _WEIGHTS))
        head = folder / HEAD
        weights = ctc_head(head, config) if head.exists() else None
        return Checkpoint(model_name(folder, name), network, processor, weights)
    except (OSError, ValueError, RuntimeError, SafetensorError):
        # whether it is damaged or of another kind is for the stock classes to say
        return None


def _text(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8")


class Spelling:
    """What is asked of a tokenizer here, in the words of transformers, of one of `tokenizers`.

    Raises:
        ValueError: its special tokens are not just these; the unknown token comes first.
    """

    def __init__(self, tokenizer: Tokenizer, specials: Sequence[str]) -> None:
        added = {
            each.content: each.special for each in tokenizer.get_added_tokens_decoder().values()
        }
        if added != dict.fromkeys(specials, True):
            raise ValueError("it has other added tokens")
        self._tokenizer = tokenizer
        self.all_special_ids = [tokenizer.token_to_id(each) for each in specials]
        self.unk_token_id = self.all_special_ids[0]

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Return the token ids of a text."""
        return self._tokenizer.encode(text, add_special_tokens=add_special_tokens).ids

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool) -> str:
        """Return the text of token ids."""
        return self._tokenizer.decode(tokens, skip_special_tokens=skip_special_tokens)

    def batch_decode(
        self, lines: Sequence[Sequence[int]], *, skip_special_tokens: bool
    ) -> list[str]:
        """Return the texts of several lines of token ids."""
        return self._tokenizer.decode_batch(lines, skip_special_tokens=skip_special_tokens)


def _tokenizer(text: str) -> Tokenizer:
    from tokenizers import Tokenizer

    # it raises a bare Exception for anything else
    TokenizerFile.model_validate_json(text)
    tokenizer = Tokenizer.from_str(text)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
