"""The decoder: encoder states in, the greedy text of each crop and its evidence out.

The decoder of TrOCR (Li et al. 2021, arXiv 2109.10282; transformers' `TrOCRForCausalLM`) without
`generate`: it reads the weights of the stock modules and gives the same tokens, in float32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import nn

from stages.recognisers.book import Book
from stages.recognisers.decoding import Line
from stages.recognisers.layers import Linear, Norm

_PLACES_TOGETHER = 8
"""A draft is fed in multiples of this, because oneDNN keeps the code that it compiles for each
count of rows it meets, about 0.6 MB for a product: 1,500 batches of 1 to 8 texts of 3 to 26
characters grew a process by 320 MB, and by 73 MB with this."""


class LeanDecoder:
    """Greedy decoding with cached keys and values, crop by crop independent of the others.

    Takes over `decoder` of a `VisionEncoderDecoderModel`, its `enc_to_dec_proj` included.
    `start` begins each text, one of `ends` ends it; a text holds `max_tokens` at most, both of
    these included.
    """

    def __init__(
        self, network: nn.Module, start: int, ends: Sequence[int], max_tokens: int
    ) -> None:
        stock, config = network.decoder.model.decoder, network.decoder.config
        self._start, self._ends, self._max_tokens = start, frozenset(ends), max_tokens
        self._heads = config.decoder_attention_heads
        self._words = _scaled(stock.embed_tokens)
        self._places, self._placeless = _places(stock, config.use_learned_position_embeddings)
        norm = stock.layernorm_embedding
        self._norm = None if norm is None else Norm(norm)
        self._layers = [_Layer(each, config.activation_function) for each in stock.layers]
        self._words_out = Linear(network.decoder.output_projection.weight, None)
        bridge = getattr(network, "enc_to_dec_proj", None)
        self._bridge = None if bridge is None else Linear(bridge.weight, bridge.bias)
        crosses = [each.encoder_attn for each in stock.layers]
        maps = [each for cross in crosses for each in (cross.k_proj, cross.v_proj)]
        self._memory = Linear.stacked(maps)

    def greedy(
        self, encoded: torch.Tensor, drafts: Sequence[Sequence[int]] | None = None
    ) -> list[Line]:
        """Return one line for each row of `encoded`, (B, S, D) float32.

        `drafts` are guesses of the tokens between start and end. Each is checked in a single pass,
        and what agrees is taken over, so the tokens are those of greedy decoding all the same
        (speculative decoding with a greedy check: Stern et al. 2018, arXiv 1811.03115).

        Raises:
            ValueError: the network computed NaN.
        """
        book = Book(len(encoded), self._ends)
        caches = self._caches(encoded)
        if drafts is None or not any(drafts):
            current = torch.full((len(encoded),), self._start, device=encoded.device)
            self._extend(caches, list(range(len(encoded))), current, 0, book)
        else:
            for at, rows in self._check(caches, drafts, book).items():
                some = caches if len(rows) == len(encoded) else caches.chosen(list(rows), at)
                current = torch.tensor(list(rows.values()), device=encoded.device)
                self._extend(some, list(rows), current, at, book)
        return book.lines()

    def branches(self, encoded: torch.Tensor, width: int) -> Branches:
        """Open the decoding of looks at one crop, (K, S, D) float32, in `width` ways at once."""
        return Branches(self, self._caches(encoded), width)

    def together(self, encoded: torch.Tensor, draft: Sequence[int]) -> Line:
        """Return the line that several looks at one crop, (K, S, D) float32, spell together.

        A token is worth the geometric mean of its probabilities, made to add up to 1 again (a
        product of experts: Hinton 2002, doi 10.1162/089976602760128018). `draft` is a guess of the
        tokens between start and end; where the looks correct it, what comes after is checked anew.

        Raises:
            ValueError: the network computed NaN.
        """
        caches = self._caches(encoded)
        guess, settled, most = list(draft[: self._max_tokens - 2]), 0, self._max_tokens - 2
        while True:
            fed = torch.tensor([[self._start, *guess]], device=encoded.device)
            logits = self._logits(caches, fed.expand(len(encoded), -1), 0)
            votes = logits.log_softmax(-1).mean(0)
            # what was settled stays so, whatever rounding says to a tie in a longer guess
            best = guess[:settled] + votes[settled:].argmax(-1).tolist()
            right, ended = self._agreed(best, guess)
            if ended is not None or right == most:
                break
            guess[right : right + 1] = [best[right]]
            settled = right + 1
        last = right if ended is None else ended
        book = Book(1, self._ends)
        book.note([0] * (last + 1), votes[: last + 1], best[: last + 1])
        return book.lines()[0]

    def spelt(self, encoded: torch.Tensor, text: Sequence[int]) -> Line:
        """Return the line of a given text as several looks at one crop, (K, S, D) float32, see it.

        `text` is its tokens between start and end, whether or not they are the best ones; their
        probabilities are those of `together`.

        Raises:
            ValueError: the network computed NaN.
        """
        fed = torch.tensor([[self._start, *text]], device=encoded.device)
        logits = self._logits(self._caches(encoded), fed.expand(len(encoded), -1), 0)
        votes = logits.log_softmax(-1).mean(0)
        end = max(self._ends, key=votes[-1].tolist().__getitem__)
        book = Book(1, self._ends)
        book.note([0] * len(votes), votes, [*text, end])
        return book.lines()[0]

    def _agreed(self, best: Sequence[int], draft: Sequence[int]) -> tuple[int, int | None]:
        """Return how many tokens of a draft are the `best` ones, and where these end the text."""
        right = next((at for at, token in enumerate(draft) if best[at] != token), len(draft))
        # an end that a draft foretells is an end nevertheless
        return right, next((at for at in range(right + 1) if best[at] in self._ends), None)

    def _check(
        self, caches: _Caches, drafts: Sequence[Sequence[int]], book: Book
    ) -> dict[int, dict[int, int]]:
        """Take over what is right of the drafts: the rows to go on with, and their last token.

        They are grouped by the place of that token, for which the cache is not filled yet.
        """
        drafts = [list(each[: self._max_tokens - 2]) for each in drafts]
        longest = max(map(len, drafts))
        fed = [[self._start, *each, *[self._start] * (longest - len(each))] for each in drafts]
        logits = self._logits(caches, torch.tensor(fed, device=caches.device), 0)
        chosen = logits.argmax(-1).tolist()
        unfinished: dict[int, dict[int, int]] = defaultdict(dict)
        taken: list[tuple[int, int]] = []
        for row, (best, draft) in enumerate(zip(chosen, drafts, strict=True)):
            right, ended = self._agreed(best, draft)
            last = right if ended is None else ended
            taken += [(row, at) for at in range(last + 1)]
            if ended is None:
                unfinished[last + 1][row] = best[last]
        rows, places = map(list, zip(*taken, strict=True))
        book.note(rows, logits[rows, places], [chosen[row][at] for row, at in taken])
        return unfinished

    def _extend(
        self, caches: _Caches, rows: list[int], current: torch.Tensor, at: int, book: Book
    ) -> None:
        """Decode token by token from place `at`, where `current` (N,) stands, to the end.

        A row whose text has ended gives its place to the last one, and the last place goes.
        """
        while rows and at + 1 < self._max_tokens:
            logits = self._logits(caches, current[:, None], at)[:, 0]
            current = logits.argmax(-1)
            chosen = current.tolist()
            book.note(rows, logits, chosen)
            at += 1
            for slot in reversed(range(len(chosen))):
                if chosen[slot] in self._ends:
                    last = len(rows) - 1
                    if slot < last:
                        rows[slot], current[slot] = rows[last], current[last]
                        caches.move(last, slot, at)
                    del rows[last]
            if len(rows) < len(chosen):
                current = current[: len(rows)]
                caches.keep(len(rows))

    def _caches(self, encoded: torch.Tensor) -> _Caches:
        batch, length, width = encoded.shape
        states = encoded.reshape(-1, width)
        if self._bridge is not None:
            states = self._bridge(states)
        depth, heads = len(self._layers), self._heads
        # (layer, key or value, row, head, place, channel)
        memory = self._memory(states).view(batch, length, depth, 2, heads, -1)
        memory = memory.permute(2, 3, 0, 4, 1, 5).contiguous()
        shape = (depth, 2, batch, heads, self._max_tokens, memory.shape[-1])
        return _Caches(memory, torch.empty(shape, device=encoded.device))

    def _logits(self, caches: _Caches, tokens: torch.Tensor, at: int) -> torch.Tensor:
        """Feed (n, m) tokens at the places from `at` on to the rows of the caches: (n, m, V).

        More than one token at a time only at the start.
        """
        asked = tokens.shape[1]
        if 1 < asked <= self._max_tokens:
            longer = min(-(-asked // _PLACES_TOGETHER) * _PLACES_TOGETHER, self._max_tokens)
            tokens = nn.functional.pad(tokens, (0, longer - asked), value=self._start)
        count, length = tokens.shape
        place = self._places[at : at + length]
        if self._placeless is not None:
            place = place * (tokens != self._placeless).unsqueeze(-1)
        hidden = nn.functional.embedding(tokens, self._words) + place
        hidden = hidden.view(count * length, -1)
        if self._norm is not None:
            hidden = self._norm(hidden)
        size = hidden.shape[1] // self._heads
        for layer, memory, cache in zip(self._layers, caches.memory, caches.own, strict=True):
            fused = layer.qkv(hidden).view(count, length, 3, self._heads, size)
            query, new = fused.split((1, 2), 2)
            cache.narrow(3, at, length).copy_(new.permute(2, 0, 3, 1, 4))
            keys, values = cache.narrow(3, 0, at + length).unbind()
            mixed = nn.functional.scaled_dot_product_attention(
                query[:, :, 0].transpose(1, 2), keys, values, is_causal=length > 1, scale=1.0
            )
            hidden = layer.own_norm(hidden + layer.own_out(_joined(mixed)))
            query = layer.query(hidden).view(count, length, self._heads, size).transpose(1, 2)
            keys, values = memory.flatten(1, 2).unbind()
            query = query.reshape(count * self._heads, length, size)
            mixed = torch.bmm(torch.bmm(query, keys.transpose(1, 2)).softmax(-1), values)
            mixed = mixed.view(count, self._heads, length, size)
            hidden = layer.cross_norm(hidden + layer.cross_out(_joined(mixed)))
            hidden = layer.last_norm(hidden + layer.fc2(layer.fc1(hidden)))
        return self._words_out(hidden).view(count, length, -1)[:, :asked]


def _joined(mixed: torch.Tensor) -> torch.Tensor:
    """(n, heads, m, size) attention outputs as (n * m, heads * size)."""
    count, heads, length, size = mixed.shape
    return mixed.transpose(1, 2).reshape(count * length, heads * size)


class Branches:
    """Ways to go on with one picture's text, a row each, which are fed token by token.

    `start` begins each text and one of `ends` ends it; a text holds `max_tokens` at most, both of
    these included. Of several looks at the picture the mean counts, as in `LeanDecoder.together`.
    """

    def __init__(self, decoder: LeanDecoder, caches: _Caches, width: int) -> None:
        self._decoder, self._at = decoder, 0
        self._looks = caches.memory.shape[2]
        self._caches = caches.chosen(list(range(self._looks)) * width, 0)
        self.start, self.ends = decoder._start, decoder._ends
        self.max_tokens = decoder._max_tokens

    def feed(self, parents: Sequence[int], tokens: Sequence[int]) -> torch.Tensor:
        """Go on from some of the last rows with a token each: (N, V) log-probabilities.

        The first call begins the texts: its parent is row 0 and its token the start token.

        Raises:
            ValueError: the network computed NaN.
        """
        looks = self._looks
        rows = [row * looks + look for row in parents for look in range(looks)]
        caches = self._caches.grown(rows, self._at)
        fed = torch.tensor(tokens, device=caches.device).repeat_interleave(looks)[:, None]
        chances = self._decoder._logits(caches, fed, self._at)[:, 0].log_softmax(-1)
        if looks > 1:
            chances = chances.view(len(tokens), looks, -1).mean(1).log_softmax(-1)
        if chances.isnan().any():
            raise ValueError("the network computed NaN; try `encoder_dtype: float32`")
        self._at += 1
        return chances


class _Layer:
    """One layer's maps, the queries' scales folded into their weights; norms come after."""

    def __init__(self, layer: nn.Module, activation: str) -> None:
        own, cross = layer.self_attn, layer.encoder_attn
        self.qkv = Linear.stacked((own.q_proj, own.k_proj, own.v_proj), scale=own.scaling)
        self.own_out = Linear(own.out_proj.weight, own.out_proj.bias)
        self.own_norm = Norm(layer.self_attn_layer_norm)
        self.query = Linear.stacked((cross.q_proj,), scale=cross.scaling)
        self.cross_out = Linear(cross.out_proj.weight, cross.out_proj.bias)
        self.cross_norm = Norm(layer.encoder_attn_layer_norm)
        self.fc1 = Linear(layer.fc1.weight, layer.fc1.bias, activation=activation)
        self.fc2 = Linear(layer.fc2.weight, layer.fc2.bias)
        self.last_norm = Norm(layer.final_layer_norm)


class _Caches:
    """Keys and values, (layer, key or value, row, head, place, channel): of the picture, own."""

    def __init__(self, memory: torch.Tensor, own: torch.Tensor) -> None:
        self.memory, self.own, self.device = memory, own, memory.device

    def chosen(self, rows: list[int], filled: int) -> _Caches:
        """Return a copy of some rows, with the first `filled` places."""
        own = self.own.new_empty(*self.own.shape[:2], len(rows), *self.own.shape[3:])
        own[..., :filled, :] = self.own[:, :, rows, :, :filled]
        return _Caches(self.memory[:, :, rows], own)

    def grown(self, parents: Sequence[int], filled: int) -> _Caches:
        """Let the first rows go on from these: a view of so many rows."""
        count = len(parents)
        if list(parents) != list(range(count)):
            self.own[:, :, :count, :, :filled] = self.own[:, :, list(parents), :, :filled]
        return _Caches(self.memory[:, :, :count], self.own[:, :, :count])

    def move(self, source: int, target: int, filled: int) -> None:
        """Copy a row over another one, with its first `filled` places."""
        self.memory[:, :, target] = self.memory[:, :, source]
        self.own[:, :, target, :, :filled] = self.own[:, :, source, :, :filled]

    def keep(self, count: int) -> None:
        """Drop all but the first rows."""
        self.memory, self.own = self.memory[:, :, :count], self.own[:, :, :count]


def _scaled(words: nn.Module) -> torch.Tensor:
    scale = words.embed_scale
    return words.weight if scale == 1.0 else words.weight * scale


def _places(decoder: nn.Module, learned: bool) -> tuple[torch.Tensor, int | None]:
    """The vector of each place, and the token that has none (padding, with sinusoids)."""
    stock = decoder.embed_positions
    if learned:
        return stock.weight[stock.offset :], None
    # computed anew: what transformers 5.23 opens from a file has no numbers in it (a meta tensor)
    count, width = stock.weights.shape
    padding = stock.padding_idx
    table = stock.get_embedding(count, width, padding)[padding + 1 :]
    return table.to(decoder.embed_tokens.weight), padding
