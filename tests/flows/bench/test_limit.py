"""The encoder beside its products."""

from __future__ import annotations

import pytest

from flows.bench.limit import Sizes, measure

pytestmark = pytest.mark.usefixtures("threads_as_they_were")


def test_measure_when_run_then_each_batch_stands_beside_both_limits(checkpoint, tmp_path):
    sizes = Sizes(batches=(1, 3), rounds=2, threads=(1,))

    figures = list(measure(sizes, lambda _: None, tmp_path, str(checkpoint)))

    for dtype in ("float32", "bfloat16"):
        of = [each for each in figures if f"{dtype}, 1 thread" in each.series]
        encoders = [each for each in of if each.series.startswith("encoder,")]
        assert [each.at for each in encoders] == [1, 3]
        assert sum(each.target is not None for each in encoders) == 1
        assert [each.at for each in of if each.series.startswith("its products")] == [1, 3]
        (limit,) = (each for each in of if each.series == encoders[0].peer)
        assert "MFLOP a crop" in limit.note
        assert all(each.median > limit.median for each in encoders)
    assert figures[-1].series == "encoder, draft and decoder, 1 thread"
