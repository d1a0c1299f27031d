"""A fork waits for what it must not interrupt, and that waits for a fork, but neither for ever."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import pusher_channels
from pusher_channels_rest import lazy
from pusher_channels_rest.lazy import forks_wait, once


def fork(work: Callable[[], bool] = lambda: True) -> None:
    """Fork, and check that the child finds it true, and that nobody need wait for this fork any more."""
    child = os.fork()
    if not child:
        os._exit(0 if not lazy._going and not lazy._forking and work() else 1)  # pyright: ignore[reportPrivateUsage]
    assert threading.get_ident() not in {*lazy._going, *lazy._forking}  # pyright: ignore[reportPrivateUsage]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Holder:
    """A thread that holds up forks until it is told to go on."""

    def __init__(self, depth: int = 1) -> None:
        self._depth = depth
        self._inside, self._go_on = threading.Event(), threading.Event()
        self.ended = False
        self._thread = threading.Thread(target=self._hold)
        self._thread.start()
        assert self._inside.wait(10)

    def release(self) -> None:
        self._go_on.set()
        self._thread.join()

    def release_after(self, seconds: float) -> threading.Thread:
        timer = threading.Timer(seconds, self.release)
        timer.start()
        return timer

    def _hold(self) -> None:
        if self._depth:
            self._depth -= 1
            with forks_wait():
                self._hold()
            return
        self._inside.set()
        self._go_on.wait(20)
        self.ended = True


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for a machine that is slow."""
    monkeypatch.setattr(lazy, "_PATIENCE", 20)
    monkeypatch.setattr(lazy, "_COURTESY", 20)


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("depth", [1, 3])
def test_a_fork_waits(depth: int) -> None:
    holder = Holder(depth)
    timer = holder.release_after(0.1)
    fork(lambda: holder.ended)
    assert holder.ended
    timer.join()  # nor is it to be counted in other tests


def test_a_fork_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "_PATIENCE", 0.05)
    holder = Holder()

    def child_goes_on() -> bool:
        lazy._PATIENCE = 20  # pyright: ignore[reportPrivateUsage]
        started = time.monotonic()
        fork()  # which the thread that is not here does not hold up
        return not holder.ended and time.monotonic() - started < 10

    fork(child_goes_on)
    assert not holder.ended
    holder.release()


def test_a_thread_may_fork_in_the_middle() -> None:
    with forks_wait():
        fork()
        with forks_wait():
            fork()


@pytest.mark.usefixtures("patience")
def test_others_wait_for_a_fork() -> None:
    order = list[str]()

    def work() -> None:
        with forks_wait():
            order.append("inside")

    thread = threading.Thread(target=work)
    lazy._before_fork()  # pyright: ignore[reportPrivateUsage]
    try:
        thread.start()
        time.sleep(0.1)
        order.append("forked")
    finally:
        lazy._after_fork_in_parent()  # pyright: ignore[reportPrivateUsage]
    thread.join()
    assert order == ["forked", "inside"]


def test_others_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "_PATIENCE", 0.05)
    lazy._before_fork()  # pyright: ignore[reportPrivateUsage]
    try:
        holder = Holder(3)
    finally:
        lazy._after_fork_in_parent()  # pyright: ignore[reportPrivateUsage]
    holder.release()


@pytest.mark.usefixtures("patience")
def test_others_do_not_wait_long_for_a_fork_that_waits_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "_COURTESY", 0.05)
    first = Holder()
    forking = threading.Thread(target=fork)
    forking.start()
    while not lazy._forking:  # pyright: ignore[reportPrivateUsage]
        time.sleep(0.001)
    second = Holder(3)
    assert forking.is_alive()
    for holder in (first, second):
        holder.release()
    forking.join()


@pytest.mark.usefixtures("patience")
def test_what_has_not_said_that_it_ended_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "_FORGOTTEN", 0.05)
    thread = threading.Thread(target=forks_wait().__enter__)
    thread.start()
    thread.join()
    started = time.monotonic()
    fork()
    assert time.monotonic() - started < 10


@pytest.mark.usefixtures("patience")
def test_another_thread_may_say_that_it_ended() -> None:
    # As when the task of an event loop that nobody runs any more is collected.
    left = forks_wait()
    thread = threading.Thread(target=left.__enter__)
    thread.start()
    thread.join()
    with forks_wait():
        left.__exit__(None, None, None)
    fork()
    assert not lazy._inside  # pyright: ignore[reportPrivateUsage]


def test_others_wait_while_further_hooks_take_their_time() -> None:
    """What begins between this hook and the fork would be left half done in the child."""
    code = """
import os, threading, time
within, seen = [], []
def hook():  # of another module: it was loaded before, and so it is called after
    for _ in range(40):
        time.sleep(0.01)
        seen.append(bool(within))
os.register_at_fork(before=hook)
from pusher_channels_rest import lazy
lazy._PATIENCE = 20

def work():
    while len(seen) < 40:
        with lazy.forks_wait():
            within.append(1)
            time.sleep(0.05)
            within.pop()

thread = threading.Thread(target=work)
thread.start()
while not within:
    time.sleep(0.01)
child = os.fork()
if not child:
    os._exit(0)
thread.join(30)
assert os.waitpid(child, 0)[1] == 0
assert not any(seen), seen
"""
    # From Python 3.12 on it warns of forks of processes that have threads.
    command = [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


def test_nobody_waits_for_one_fork_after_the_other() -> None:
    """Threads that fork on and on, one of which always is about to, hold up no event loop."""
    code = """
import os, threading, time
os.register_at_fork(before=lambda: time.sleep(0.02))
from pusher_channels_rest.lazy import forks_wait
entered = threading.Event()

def work():
    while not entered.is_set():
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)

threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(20):
    with forks_wait():
        pass
    time.sleep(0.005)
entered.set()
for thread in threads:
    thread.join()
"""
    # From Python 3.12 on it warns of forks of processes that have threads.
    command = [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


def test_it_waits_before_other_hooks_do() -> None:
    """`logging` has one that takes a lock, which a module that has a logger needs."""
    code = """
import os, sys, threading, time
import pusher_channels
import logging
from pusher_channels_rest import lazy

lazy._PATIENCE = 20
inside = threading.Event()

def work():
    with lazy.forks_wait():
        inside.set()
        while not lazy._forking:
            pass
        logging.getLogger("needs the lock")

thread = threading.Thread(target=work)
thread.start()
inside.wait()
started = time.monotonic()
child = os.fork()
if not child:
    logging.getLogger("another one")
    os._exit(0)
thread.join(30)
assert not thread.is_alive()
assert time.monotonic() - started < 10
assert os.waitpid(child, 0)[1] == 0
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


class Made:
    """Something with a value that is made at its first use."""

    def __init__(self) -> None:
        self.times = 0

    @once
    def value(self) -> int:
        """The value's own text."""
        self.times += 1
        if self.times == 1:
            raise ValueError("not yet")
        return 7


def test_a_value_is_made_once_and_not_kept_when_it_fails() -> None:
    made = Made()
    with pytest.raises(ValueError, match="not yet"):
        _ = made.value
    assert (made.value, made.value, made.times) == (7, 7, 2)
    assert Made.value.__doc__ == "The value's own text."
    fork()  # nobody is left inside


def test_threads_that_make_it_at_once_get_the_same() -> None:
    barrier = threading.Barrier(4)

    class Shared:
        @once
        def value(self) -> object:
            barrier.wait(10)
            return object()

    shared, found = Shared(), list[object]()
    threads = [threading.Thread(target=lambda: found.append(shared.value)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


# What is not run in a process that forks while it has other threads: commands, a server, fixtures.
_EXEMPT = {"cli", "emulator", "integrations", "pytest_plugin", "_journal", "_progress", "_publish_command"}


def functions_that_import(tree: ast.AST, within: str = "") -> set[str]:
    """Return the functions that import something outside ``with forks_wait`` and what `once` makes."""
    found = set[str]()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.With) and any(ast.unparse(item.context_expr) == "forks_wait()" for item in node.items):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if "once" in [ast.unparse(decorator) for decorator in node.decorator_list]:
                continue
            found |= functions_that_import(node, node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom) and within:
            found.add(within)
        else:
            found |= functions_that_import(node, within)
    return found


def test_functions_import_only_where_forks_wait() -> None:
    found = dict[str, set[str]]()
    for package in (pusher_channels, lazy):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            if path.relative_to(folder).parts[0].removesuffix(".py") not in _EXEMPT:
                names = functions_that_import(ast.parse(path.read_text()))
                if names:
                    found[path.name] = names
    # Called by Pool.sender, where forks wait.
    assert found == {"_transport.py": {"_make_sender"}, "_async_transport.py": {"_make_sender"}}
