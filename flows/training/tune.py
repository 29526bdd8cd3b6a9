"""Fine-tuning on a user's own line: labelled crops beside rendered marks of their format.

Few crops are learned by heart, so most of what is shown is spliced from them (`splicing.py`). A
model that forgets is refused: tuned and old weights are averaged as far as the general set asks
for, after WiSE-FT (Wortsman et al. 2022, arXiv 2109.01903), and must read it as well as the old,
and the crops that were kept aside better.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from flows.training import fit
from flows.training.complete import complete
from flows.training.crops import Crops, read_crops, stretched
from flows.training.drawing.strips import StripMaker
from flows.training.export import export, load
from flows.training.jitter import jittered
from flows.training.marking.surfaces import Surfaces
from flows.training.material.fonts import FaceSet, face_of, faces
from flows.training.network import Network
from flows.training.splicing import Piece, pieces, spliced
from flows.training.stream import Batch, Studio
from flows.training.validation import Score, predict
from flows.training.wording.texts import Texts
from stages.errors import ConfigError
from stages.formats import Constraint, compile_format

OPTIONS = fit.FitOptions(
    samples=12_000,
    batch=32,
    learning_rate=7e-4,
    other_rate=3.5e-4,
    warmup_samples=1_000,
    average=0.98,
    evaluate_minutes=1.0,
)
"""A third of the peak of training; what it forgets comes back by averaging."""


Scores = dict[str, Score]


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
    own = pieces(crops.take(learned), network, device)
    fitting.fit(mixed(own, studio, rng), judges, fit.say)
    tuned, after = _averaged(load(start), fit.read(fitting.best), judges, before, device)
    for name in (YOURS, GENERAL):
        fit.say(f"{name}: {before[name].exact:.1%} before, {after[name].exact:.1%} after")
    folder = run / "checkpoint"
    export(tuned, folder)
    # what judged is left out: weights chosen by it look surer on it than they are
    others = everything.take(range(1, len(everything), 2))
    complete(
        folder,
        [*others.pictures, *crops.take(kept).pictures],
        [*others.texts, *crops.take(kept).texts],
        f"{len(others)} crops of the general set and {len(kept)} of yours",
    )
    return folder


def mixed(own: tuple[Piece, ...], studio: Studio, rng: np.random.Generator) -> Iterator[Batch]:
    """Batches of the user's crops, most of them spliced, and as many rendered marks."""
    maker = StripMaker(studio.faces, studio.texts)
    while True:
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        shown = [
            spliced(own, int(rng.integers(1, _JOINS + 1)) if rng.random() < _SPLICED else 0, rng)
            for _ in range(studio.batch)
        ]
        pictures = np.stack([jittered(each.picture, studio.size, rng) for each in shown])
        rendered = studio.finish(studio.strips(rng, 1.0, maker), generator)
        yield Batch(
            torch.cat([torch.from_numpy(pictures), rendered.pictures]),
            (*(each.text for each in shown), *rendered.texts),
        )


def blended(old: Network, new: Network, share: float) -> Network:
    """A network whose weights are `share` of the new ones' and the rest of the old ones'."""
    between = copy.deepcopy(new)
    before, after = old.state_dict(), new.state_dict()
    between.load_state_dict(
        {
            name: torch.lerp(before[name], weight, share) if weight.is_floating_point() else weight
            for name, weight in after.items()
        }
    )
    return between


def _averaged(
    old: Network, new: Network, judges: Sets, before: Scores, device: torch.device
) -> tuple[Network, Scores]:
    """The average of old and new weights that reads the user's crops best, and its scores.

    Of equals the one that learned more is taken: a handful of kept crops tells little apart.

    Raises:
        ConfigError: every average reads the general set, or the user's crops, worse than before.
    """
    best: tuple[Network, Scores] | None = None
    complaint = ""
    for share in _SHARES:
        network = blended(old.to(device), new.to(device), share)
        after = {score.tier: score for score in judges.score(network, device)}
        complaint = _complaint(before, after)
        if not complaint and (best is None or after[YOURS].exact >= best[1][YOURS].exact):
            best = network, after
    if best is None:
        raise ConfigError(complaint)
    return best


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


def _fingerprint(crops: Crops, formats: Sequence[str], fonts: Sequence[Path], start: Path) -> str:
    """A digest of what a run adapts to."""
    digest = hashlib.sha256()
    for text, picture in zip(crops.texts, crops.pictures, strict=True):
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


def _complaint(before: Scores, after: Scores) -> str:
    """Why the tuned weights are refused; empty where they are not."""
    allowed = _SLACK / before[GENERAL].pictures ** 0.5
    if after[GENERAL].exact < before[GENERAL].exact - allowed:
        return (
            f"refused: the tuned weights read {after[GENERAL].exact:.1%} of the general set, "
            f"{before[GENERAL].exact:.1%} before; label more crops, or train for less"
        )
    if after[YOURS].exact < before[YOURS].exact:
        return (
            f"refused: the tuned weights read {after[YOURS].exact:.1%} of your crops kept aside, "
            f"{before[YOURS].exact:.1%} before; check the labels"
        )
    return ""


YOURS, GENERAL = "yours", "general"
_FEWEST = 20
_SLACK = 0.5
_SEED = 11
_SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)
_SPLICED = 0.9
_JOINS = 4
