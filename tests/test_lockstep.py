"""Loops in turns, against what turns are: one at a time, in order, and an error where one waits."""

import functools
import multiprocessing
import os
from pathlib import Path

import pytest

from benchmarks.lockstep import Apart, Loop, Pause, spread, time_steps


def _counting(name: str, log: list[str]) -> Loop:
    def run(pause: Pause) -> None:
        while True:
            log.append(name)
            pause()

    return Loop(run)


def test_loops_take_turns_and_warm_steps_are_not_counted() -> None:
    log: list[str] = []
    seconds = time_steps({name: _counting(name, log) for name in "ab"}, rounds=4)
    assert log == ["a", "b"] * 7  # three steps each to warm up
    assert [len(spent) for spent in seconds.values()] == [4, 4]


def test_an_error_in_a_loop_is_raised_where_its_step_is_waited_for() -> None:
    def run(pause: Pause) -> None:
        pause()
        raise ValueError("the second step")

    loop = Loop(run)
    loop.step()
    with pytest.raises(ValueError, match="the second step"):
        loop.step()


def test_a_loop_that_ends_too_soon_says_so() -> None:
    with pytest.raises(RuntimeError, match="ended before"):
        Loop(lambda _: None).step()


def _count_in_a_file(path: Path, pause: Pause) -> None:
    while True:
        with path.open("a") as log:
            log.write(f"{os.getpid()}\n")
        pause()


def _fail(pause: Pause) -> None:
    pause()
    raise ValueError("the second step")


def test_a_loop_apart_takes_its_steps_in_one_other_process(tmp_path: Path) -> None:
    path = tmp_path / "log"
    loop = Apart(functools.partial(_count_in_a_file, path))
    steps = [loop.step() for _ in range(3)]
    loop.stop()
    seen = path.read_text().split()
    assert len(steps) == len(seen) == 3
    assert len(set(seen)) == 1
    assert seen[0] != str(os.getpid())


def _with_a_child(pause: Pause) -> None:
    while True:
        child = multiprocessing.get_context("spawn").Process(target=print)
        child.start()
        child.join()
        pause()


def test_a_loop_apart_may_have_processes_of_its_own_as_a_trainer_with_loaders_has() -> None:
    loop = Apart(_with_a_child)
    loop.step()
    loop.stop()


def test_an_error_in_a_loop_apart_is_raised_where_its_step_is_waited_for() -> None:
    loop = Apart(_fail)
    loop.step()
    with pytest.raises(ValueError, match="the second step"):
        loop.step()


def test_the_spread_is_the_median_with_the_ends() -> None:
    assert str(spread([3.0, 1.0, 2.0])) == "2.00 (1.00 to 3.00)"
