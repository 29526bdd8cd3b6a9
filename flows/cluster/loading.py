"""Loading engines on a Dask worker: those of the stages whose resources it has."""

from __future__ import annotations

import pickle
from collections.abc import Mapping

from flows.cluster.place import Terms
from flows.configuration.recipes import Engine
from flows.engines import warm
from stages.records import Stage

_STAGES: dict[str, Stage] = {"detector": "detect", "recogniser": "recognise"}


def wanted_by(engine: Engine, terms: Terms) -> Mapping[str, float]:
    """The resources that the stage of this engine asks of a worker."""
    return terms.resources.get(_STAGES[engine.kind], {})


def load_here(packed: bytes) -> list[str]:
    """Load what this worker may be asked for; returns a line for each. Run as a task.

    `packed` are engines and terms, pickled.
    """
    from distributed import get_worker

    engines, terms = pickle.loads(packed)
    return load_on(get_worker().state.total_resources, engines, terms)


def load_on(resources: Mapping[str, float], engines: tuple[Engine, ...], terms: Terms) -> list[str]:
    """The same on a worker with these resources."""
    fitting = [one for one in engines if offers(resources, wanted_by(one, terms))]
    return warm(tuple(fitting))


def offers(resources: Mapping[str, float], wanted: Mapping[str, float]) -> bool:
    """Whether a task that wants this may run on a worker that has these resources."""
    return all(resources.get(name, 0) >= amount for name, amount in wanted.items())
