"""`markwatch train`: fit a TrOCR checkpoint on rendered marks, or adapt one to a user's crops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from flows.training import fit, tune
from flows.training.complete import complete
from flows.training.export import export, load
from flows.training.material.credits import write_credits
from flows.training.network import Network, Shape
from flows.training.stream import Batch, Ramp, batches, training_studio
from flows.training.validation import ValidationSet
from flows.training.wording.texts import Texts
from stages.errors import ConfigError
from stages.recognisers.checkpoint import EMBEDDED, locate

EVALUATION = Path("data/evaluation")
"""The shipped evaluation set: a folder with `labels.csv` for each tier."""

CLEAN_SAMPLES = 30_000
"""Pictures at the start that are nearly clean: without them the decoder does not learn to align."""

RAMP_SAMPLES = 220_000
"""Pictures after which the hardest are among them."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to fit, and on what; None takes the options' default."""

    samples: int | None
    minutes: float | None
    processes: int
    threads: int | None
    device: str

    def limit(self, options: fit.FitOptions) -> fit.FitOptions:
        """The options with this budget."""
        given = {"samples": self.samples, "minutes": self.minutes}
        return options.model_copy(update={k: v for k, v in given.items() if v is not None})

    def place(self) -> torch.device:
        """Set torch's threads, and return the device.

        Raises:
            ConfigError: the device is not there.
        """
        if self.threads:
            torch.set_num_threads(self.threads)
        name = self.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            return torch.empty(0, device=name).device
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(f"device {name} does not work here; try `--device cpu`") from error


def train(
    run: Path,
    material: Path | None,
    start: Path | None,
    budget: Budget,
    held: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Path:
    """Fit in the folder `run`, going on where it stopped; return the checkpoint's folder.

    `held` is entered for as long as a batch is fetched: a stop may only come after it.

    Raises:
        ConfigError: no material, or `start` is no checkpoint of this kind.
    """
    if material is None:
        raise ConfigError(
            "training from rendered marks needs fonts and textures; fetch them with "
            "`python -m flows.training.material.fetch FOLDER` and give `--material FOLDER`"
        )
    device = budget.place()
    options = budget.limit(fit.FitOptions())
    torch.manual_seed(_SEED)
    network = load(start) if start else Network(Shape())
    size = network.shape.rows, network.shape.columns
    validation = ValidationSet.of(run, material, size, _VALIDATION, fit.say)
    fitting = fit.Run(run, network, options, device)
    fit.say(f"opening the typefaces and textures of {material}")
    studio = training_studio(material, Texts(), size, options.batch)
    ramp = Ramp(
        0 if start else CLEAN_SAMPLES // options.batch,
        0 if start else RAMP_SAMPLES // options.batch,
    )
    made = batches(studio, ramp, _SEED, fitting.progress.batches, budget.processes, device)
    fit.say(
        f"fitting on {device}: {fitting.progress.samples:,} of {options.samples:,} pictures"
        + (f" or {options.minutes:g} minutes" if options.minutes else "")
    )
    fitting.fit(_fetched(made, held), validation, fit.say)
    folder = publish(run, validation)
    write_credits(material, folder)
    return folder


def _fetched(
    made: Iterator[Batch], held: Callable[[], AbstractContextManager[None]]
) -> Iterator[Batch]:
    while True:
        with held():
            batch = next(made)
        yield batch


def adapt(
    root: Path,
    run: Path,
    start: Path | None,
    labels: Sequence[Path],
    formats: Sequence[str],
    fonts: Sequence[Path],
    material: Path | None,
    budget: Budget,
) -> Path:
    """Adapt the checkpoint `start` (the shipped one) to labelled crops; return the tuned one.

    Raises:
        ConfigError: a label file, format or font is wrong, or the tuned weights are refused.
    """
    places = (root, Path(__file__).resolve().parents[2])
    general = next(
        (found for place in places if (found := sorted((place / EVALUATION).glob("*/labels.csv")))),
        None,
    )
    if general is None:
        raise ConfigError(
            f"{root / EVALUATION} holds no general set to judge by; run in a checkout of markwatch"
        )
    fit.say(f"reading the crops, and the general set in {general[0].parents[1]}")
    folder = tune.tune(
        start or locate(EMBEDDED, allow_download=False),
        labels,
        general,
        run,
        budget.limit(tune.OPTIONS),
        formats=formats,
        fonts=fonts,
        material=material,
        device=budget.place(),
    )
    fit.say(f"set `checkpoint: {folder.resolve()}` for the trocr recogniser to use it")
    return folder


def publish(run: Path, validation: ValidationSet) -> Path:
    """Export the best weights of a run as a checkpoint beside them, calibrated on the set.

    Raises:
        ConfigError: the run has not been evaluated yet.
    """
    best = run / fit.BEST
    if not best.exists():
        raise ConfigError(f"{run}: no weights have been evaluated yet; let it train longer")
    folder = run / "checkpoint"
    fit.say("calibrating the best weights")
    export(fit.read(best), folder)
    complete(
        folder,
        list(validation.pictures.numpy()),
        validation.texts,
        f"{len(validation.texts)} rendered marks in typefaces that were not trained",
    )
    fit.say(f"{folder}: the best weights so far")
    return folder


_SEED = 3
_VALIDATION = 500
