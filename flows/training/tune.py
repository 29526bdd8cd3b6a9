"""Fine-tuning on a user's own line: labelled crops beside rendered marks of their format.

A model that forgets is refused: the tuned weights must read a general set as well as the weights
that they came from, and the crops that were kept aside better than those (PaddleOCR's users lost
old skill by tuning on new crops alone; half old and half new is their own remedy).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from flows.evaluation.complaints import shortened
from flows.evaluation.labels import Label, read_sets
from flows.training import fit
from flows.training.camera.photograph import model_input, photograph
from flows.training.complete import complete
from flows.training.drawing.layout import CANVAS
from flows.training.drawing.strips import StripMaker
from flows.training.export import export, load
from flows.training.marking.surfaces import Surfaces
from flows.training.material.fonts import FaceSet, face_of, faces
from flows.training.network import Network
from flows.training.stream import Batch, Studio
from flows.training.validation import Score, predict
from flows.training.wording.texts import ALPHABET, MAX_LENGTH, Texts
from stages.errors import ConfigError
from stages.formats import Constraint, compile_format

OPTIONS = fit.FitOptions(
    samples=12_000,
    batch=64,
    learning_rate=2e-4,
    other_rate=1e-4,
    warmup_samples=1_000,
    average=0.98,
    evaluate_minutes=1.0,
)
"""A tenth of the peak of training, so that what was learned is moved, not lost."""


@dataclass(frozen=True, slots=True)
class Crops:
    """Labelled crops: `pictures` (N, 48, 384) uint8, stretched; `aspect` (N,) width by height.

    `originals` are the crops themselves, (h, w) uint8.
    """

    pictures: torch.Tensor
    aspect: torch.Tensor
    texts: tuple[str, ...]
    originals: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> Crops:
        """Some of the crops."""
        at = torch.tensor(rows, dtype=torch.long)
        return Crops(
            self.pictures[at],
            self.aspect[at],
            tuple(self.texts[row] for row in rows),
            tuple(self.originals[row] for row in rows),
        )


@dataclass(frozen=True)
class Sets:
    """What a tuned network is judged by: named sets of model input and texts."""

    inputs: dict[str, tuple[torch.Tensor, tuple[str, ...]]]

    def score(self, network: Network, device: torch.device) -> tuple[Score, ...]:
        """Share of whole texts read, a set each."""
        scores = []
        for name, (pictures, texts) in self.inputs.items():
            right, aligned = predict(network, pictures, texts, device)
            ctc = sum(one == two for one, two in zip(aligned, texts, strict=True))
            scores.append(Score(name, sum(right) / len(right), ctc / len(right), len(right)))
        return tuple(scores)


def tune(
    start: Path,
    labels: Sequence[Path],
    general: Sequence[Path],
    run: Path,
    options: fit.FitOptions,
    *,
    formats: Sequence[str] = (),
    fonts: Sequence[Path] = (),
    material: Path | None = None,
    device: torch.device,
) -> Path:
    """Adapt the checkpoint `start` to labelled crops; return the folder of the tuned checkpoint.

    A fifth of the crops is kept aside to judge. `general` are label files of the general set.

    Raises:
        ConfigError: a label file, format or font is wrong, there are too few crops, or the tuned
            weights are refused.
    """
    if not start.is_dir():
        raise ConfigError(f"no such folder: {start}; `--from` takes a checkpoint's folder")
    crops = read_crops(labels)
    if len(crops) < _FEWEST:
        raise ConfigError(f"{len(crops)} labelled crops are too few; label at least {_FEWEST}")
    constraints = _constraints(formats)
    _begin(run, _fingerprint(crops, formats, fonts, start))
    network = load(start)
    size = network.shape.rows, network.shape.columns
    studio = _studio(constraints, fonts, material, size, options.batch // 2)
    rng = np.random.default_rng(_SEED)
    order = rng.permutation(len(crops)).tolist()
    kept, learned = order[: len(crops) // 5], order[len(crops) // 5 :]
    everything = read_crops(general)
    judging = everything.take(range(0, len(everything), 2))
    judges = Sets(
        {
            YOURS: (stretched(crops.take(kept), size), crops.take(kept).texts),
            GENERAL: (stretched(judging, size), judging.texts),
        }
    )
    odd = [text for text in crops.texts if not any(each.accepts(text) for each in constraints)]
    if constraints and odd:
        fit.say(f"{len(odd)} of {len(crops)} labels fit no `--format`, such as {odd[0]}")
    fit.say(
        f"{len(crops)} crops, {len(learned)} to learn from and {len(kept)} kept aside; scoring "
        "the weights to start from"
    )
    before = {score.tier: score for score in judges.score(network, device)}
    fitting = fit.Run(run, network, options, device)
    fitting.fit(mixed(crops.take(learned), studio, rng), judges, fit.say)
    tuned = fit.read(fitting.best)
    after = {score.tier: score for score in judges.score(tuned, device)}
    for name in (YOURS, GENERAL):
        fit.say(f"{name}: {before[name].exact:.1%} before, {after[name].exact:.1%} after")
    _refuse_worse(before, after)
    folder = run / "checkpoint"
    export(tuned, folder)
    # what judged is left out: weights chosen by it look surer on it than they are
    others = everything.take(range(1, len(everything), 2))
    complete(
        folder,
        [*others.originals, *crops.take(kept).originals],
        [*others.texts, *crops.take(kept).texts],
        f"{len(others)} crops of the general set and {len(kept)} of yours",
    )
    return folder


def read_crops(paths: Sequence[Path]) -> Crops:
    """Read labelled crops in grey.

    Raises:
        ConfigError: a label file is wrong, or names a picture or a text that cannot be used.
    """
    sets = read_sets(paths)
    labels = [label for each in sets for label in each.labels]
    read = [_picture(label) for label in labels]
    wrong = [complaint for each in sets for complaint in each.complaints]
    wrong += [each for each in read if isinstance(each, str)]
    if wrong:
        raise ConfigError("\n".join(shortened(wrong)))
    pictures = [each for each in read if not isinstance(each, str)]
    rows, columns = CANVAS
    return Crops(
        torch.from_numpy(
            np.stack(
                [
                    cv2.resize(each, (columns, rows), interpolation=cv2.INTER_AREA)
                    for each in pictures
                ]
            )
        ),
        torch.tensor([each.shape[1] / each.shape[0] for each in pictures]),
        tuple(label.text for label in labels),
        tuple(pictures),
    )


def stretched(crops: Crops, size: tuple[int, int]) -> torch.Tensor:
    """Crops as the recogniser resizes them: model input (N, rows, columns) uint8."""
    rows, columns = size
    resized = [
        Image.fromarray(each).resize((columns, rows), Image.Resampling.BILINEAR)
        for each in crops.originals
    ]
    return torch.from_numpy(np.stack([np.asarray(each) for each in resized]))


def mixed(crops: Crops, studio: Studio, rng: np.random.Generator) -> Iterator[Batch]:
    """Batches of the user's crops, photographed anew each time, and as many rendered marks."""
    maker = StripMaker(studio.faces, studio.texts)
    while True:
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        chosen = crops.take(rng.integers(len(crops), size=studio.batch).tolist())
        severity = torch.from_numpy(rng.uniform(0, _AGAIN, studio.batch).astype(np.float32))
        shots = photograph(chosen.pictures.float() / 255, chosen.aspect, severity, generator)
        own = (model_input(shots, studio.size) * 255).round().to(torch.uint8)
        rendered = studio.finish(studio.strips(rng, 1.0, maker), generator)
        yield Batch(torch.cat([own, rendered.pictures]), (*chosen.texts, *rendered.texts))


def _constraints(formats: Sequence[str]) -> list[Constraint]:
    try:
        return [compile_format(each) for each in formats]
    except ValueError as error:
        raise ConfigError(f"--format: {error}") from error


def _studio(
    constraints: Sequence[Constraint],
    fonts: Sequence[Path],
    material: Path | None,
    size: tuple[int, int],
    batch: int,
) -> Studio:
    """Rendered marks of the user's formats and fonts; of any where none are given."""
    found = tuple(face_of(path) for path in fonts)
    if material is not None:
        found += faces(material).training.faces
    try:
        texts = Texts(formats=constraints)
    except ValueError as error:
        raise ConfigError(f"--format: {error}") from error
    surfaces = Surfaces.load(material, 200, 1) if material else Surfaces.procedural(120, 1)
    return Studio(texts, FaceSet(found), surfaces, size, batch)


def _picture(label: Label) -> np.ndarray | str:
    """The crop in grey, or why its row cannot be used."""
    if unknown := set(label.text) - set(ALPHABET):
        return (
            f"{label.place}: `{label.text}` has {''.join(sorted(unknown))}, unknown to the "
            "network; leave the row out"
        )
    if len(label.text) > MAX_LENGTH:
        return f"{label.place}: `{label.text}` is over {MAX_LENGTH} characters; leave the row out"
    picture = cv2.imread(str(label.path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        return f"{label.place}: {label.file} does not open as a picture; leave the row out"
    return picture


def _fingerprint(crops: Crops, formats: Sequence[str], fonts: Sequence[Path], start: Path) -> str:
    """A digest of what a run adapts to."""
    digest = hashlib.sha256()
    for text, picture in zip(crops.texts, crops.originals, strict=True):
        digest.update(repr((text, picture.shape)).encode())
        digest.update(picture.tobytes())
    digest.update(repr((list(formats), [path.name for path in fonts], start.name)).encode())
    return digest.hexdigest()


def _begin(run: Path, fingerprint: str) -> None:
    """Note what a run adapts to; crops that were learned from must not come to judge.

    Raises:
        ConfigError: the run was begun with something else.
    """
    note = run / "begun"
    if (run / fit.STATE).exists() and (not note.exists() or note.read_text() != fingerprint):
        raise ConfigError(
            f"{run} was begun with other labels, formats, fonts or weights; choose another folder"
        )
    try:
        run.mkdir(parents=True, exist_ok=True)
        note.write_text(fingerprint)
    except OSError as error:
        raise ConfigError(
            f"{run} cannot be made: {error.strerror}; choose another folder"
        ) from error


def _refuse_worse(before: dict[str, Score], after: dict[str, Score]) -> None:
    allowed = _SLACK / before[GENERAL].pictures ** 0.5
    if after[GENERAL].exact < before[GENERAL].exact - allowed:
        raise ConfigError(
            f"refused: the tuned weights read {after[GENERAL].exact:.1%} of the general set, "
            f"{before[GENERAL].exact:.1%} before; label more crops, or train for less"
        )
    if after[YOURS].exact < before[YOURS].exact:
        raise ConfigError(
            f"refused: the tuned weights read {after[YOURS].exact:.1%} of your crops kept aside, "
            f"{before[YOURS].exact:.1%} before; check the labels"
        )


YOURS, GENERAL = "yours", "general"
_AREA = cv2.INTER_AREA
_FEWEST = 20
_AGAIN = 0.35
_SLACK = 0.5
_SEED = 11
