"""New texts from a user's crops: one crop's beginning joined to another's end.

Fifty crops hold few texts, and a network that sees them again and again learns them by heart.
Where one character ends and the next begins is found by the network's own CTC head, told the text
(forced alignment: Rabiner 1989's Viterbi search over CTC's states, Graves et al. 2006).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import torch

from flows.training.crops import Crops, stretched
from flows.training.network import PAD, Network, encode_texts
from flows.training.wording.texts import MAX_LENGTH

ROWS = 48
"""Height in pixels to which crops are brought, so that their pieces fit together."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A crop, (ROWS, w) float32 of 0 to 255, its text, and the columns between its characters."""

    picture: np.ndarray
    text: str
    cuts: tuple[int, ...]


def pieces(crops: Crops, network: Network, device: torch.device) -> tuple[Piece, ...]:
    """Find where each crop may be cut."""
    made = []
    for picture, text, centres in zip(
        crops.pictures, crops.texts, _centres(crops, network, device), strict=True
    ):
        width = max(8, round(ROWS * picture.shape[1] / picture.shape[0]))
        smaller = picture.shape[0] > ROWS
        scaled = cv2.resize(
            picture, (width, ROWS), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        ).astype(np.float32)
        made.append(Piece(scaled, text, _cuts(scaled, centres * width)))
    return tuple(made)


def spliced(crops: tuple[Piece, ...], joins: int, rng: np.random.Generator) -> Piece:
    """A crop with `joins` ends replaced by those of others, about as long as the first was.

    An end takes the place of one that began as far along its text, so that what stands at the
    beginning and at the end of a code stays there.
    """
    piece = crops[rng.integers(len(crops))]
    for _ in range(joins):
        piece = _joined(piece, crops[rng.integers(len(crops))], rng)
    return piece


def _joined(head: Piece, tail: Piece, rng: np.random.Generator) -> Piece:
    if len(head.text) < 2 or len(tail.text) < 2:
        return head
    at = int(rng.integers(1, len(head.text)))
    then = min(max(1, round(at * len(tail.text) / len(head.text))), len(tail.text) - 1)
    text = head.text[:at] + tail.text[then:]
    end, begin = head.cuts[at - 1], tail.cuts[then - 1]
    if len(text) > MAX_LENGTH or min(end, tail.picture.shape[1] - begin) < _NARROWEST:
        return head
    left, right = head.picture[:, :end], tail.picture[:, begin:]
    around = tail.picture[:, max(0, begin - _SEAM) : begin + 1]
    joined = np.hstack([left, right + (left[:, -_SEAM:].mean() - around.mean())])
    seam = slice(max(0, end - 1), end + 1)
    joined[:, seam] = cv2.blur(joined, (3, 1))[:, seam]
    cuts = (*head.cuts[:at], *(cut + end - begin for cut in tail.cuts[then:]))
    return Piece(joined.clip(0, 255), text, cuts)


def _cuts(picture: np.ndarray, centres: np.ndarray) -> tuple[int, ...]:
    """The emptiest column between each two characters, given their centres in pixels."""
    busy = cv2.GaussianBlur(picture, (0, 0), 1.0)[ROWS // 6 : -ROWS // 6].std(0)
    cuts = []
    for before, after in pairwise(centres):
        gap = _MIDDLE * (after - before)
        first = min(max(0, int(before + gap)), len(busy) - 1)
        last = min(len(busy), max(int(np.ceil(after - gap)) + 1, first + 1))
        cuts.append(first + int(np.argmin(busy[first:last])))
    return tuple(cuts)


def _centres(crops: Crops, network: Network, device: torch.device) -> list[np.ndarray]:
    """The middle of each character, as a share of its crop's width."""
    size = network.shape.rows, network.shape.columns
    pictures = stretched(crops, size)
    network.eval()
    logs = []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        for start in range(0, len(pictures), _BATCH):
            seen = pictures[start : start + _BATCH].to(device).float() / 255
            told = torch.full((len(seen), 1), PAD, device=device)
            logs.append(network(seen, told)[1].log_softmax(-1).float().cpu())
    rows = torch.cat(logs).numpy()
    return [
        middles(row, encode_texts([text], network.alphabet)[0][1:-1].tolist())
        for row, text in zip(rows, crops.texts, strict=True)
    ]


def middles(logs: np.ndarray, tokens: list[int]) -> np.ndarray:
    """The middle of each token, 0 to 1, on the likeliest path through CTC's `logs` (T, V).

    Where the columns are too few to spell the tokens they are spread evenly.
    """
    states = [PAD]
    for token in tokens:
        states += [token, PAD]
    # a repeated character needs a blank between
    skips = np.array(
        [at > 1 and one != PAD and one != states[at - 2] for at, one in enumerate(states)]
    )
    best = np.full(len(states), -np.inf)
    best[:2] = logs[0, states[:2]]
    came = np.zeros((len(logs), len(states)), dtype=int)
    for column in range(1, len(logs)):
        ways = np.stack([best, _moved(best, 1), np.where(skips, _moved(best, 2), -np.inf)])
        came[column] = ways.argmax(0)
        best = ways.max(0) + logs[column, states]
    state = len(states) - 1
    if tokens and best[-2] > best[-1]:
        state -= 1
    if best[state] == -np.inf:
        return (np.arange(len(tokens)) + 0.5) / max(1, len(tokens))
    path = [state]
    for column in range(len(logs) - 1, 0, -1):
        state -= came[column, state]
        path.append(state)
    walked = np.array(path[::-1])
    return np.array(
        [
            (np.flatnonzero(walked == 2 * at + 1).mean() + 0.5) / len(logs)
            for at in range(len(tokens))
        ]
    )


def _moved(row: np.ndarray, by: int) -> np.ndarray:
    return np.concatenate([np.full(by, -np.inf), row[:-by]])


_BATCH = 64
_NARROWEST = 4
_SEAM = 6
_MIDDLE = 0.3
