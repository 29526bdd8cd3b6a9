"""One at a time, and of each session only the newest wish."""

from __future__ import annotations

import asyncio

import pytest

from flows.serve.editor.turns import MOST_WAITING, Turns
from flows.serve.problems import RefusedError


def run(scenario):
    async def main():
        return await asyncio.wait_for(scenario(), 20)

    return asyncio.run(main())


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


def test_turn_when_a_session_wishes_again_then_only_its_newest_waits():
    async def scenario():
        turns, order, go = Turns(), [], asyncio.Event()

        async def work(session, name):
            async with turns.turn(session):
                order.append(name)
                await go.wait()

        tasks = []
        for session, name in (("a", 1), ("a", 2), ("b", 3), ("a", 4)):
            tasks.append(asyncio.create_task(work(session, name)))
            await settled()
        go.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert order == [1, 3, 4]
        assert isinstance(results[1], RefusedError) and results[1].error == "superseded"
        async with turns.turn("c"):
            order.append("free again")
        return order

    assert run(scenario)[-1] == "free again"


def test_turn_when_no_session_is_named_then_nobody_is_overtaken_and_too_many_are_told():
    async def scenario():
        turns, go = Turns(), asyncio.Event()

        async def work():
            async with turns.turn(""):
                await go.wait()

        tasks = [asyncio.create_task(work()) for _ in range(MOST_WAITING + 2)]
        await settled()
        go.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        refused = [each for each in results if each is not None]
        assert [each.error for each in refused] == ["busy"]

    run(scenario)


def test_turn_when_who_waits_goes_away_then_the_next_one_comes():
    async def scenario():
        turns, go, done = Turns(), asyncio.Event(), []

        async def work(session):
            async with turns.turn(session):
                await go.wait()
                done.append(session)

        tasks = []
        for session in "abc":
            tasks.append(asyncio.create_task(work(session)))
            await settled()
        tasks[1].cancel()
        await settled()
        go.set()
        await asyncio.gather(tasks[0], tasks[2])
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        assert done == ["a", "c"]

    run(scenario)


def test_turn_when_the_work_fails_then_the_next_one_comes():
    async def scenario():
        turns = Turns()
        with pytest.raises(ZeroDivisionError):
            async with turns.turn("a"):
                raise ZeroDivisionError
        async with turns.turn("a"):
            return True

    assert run(scenario)
