"""Resolves host names, and refuses addresses that are not public when a stranger gave the name."""

import contextlib
import os
import socket
import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from enum import Enum
from ipaddress import ip_address
from time import monotonic

from core.outbound_errors import NotReachedError, NotReachedInTimeError, RefusedAddressError
from core.public_addresses import is_public


class Trust(Enum):
    """Who gave the address."""

    OPERATOR = "operator"
    STRANGER = "stranger"


def resolve(host: str, trust: Trust, deadline: float) -> list[str]:
    """The current addresses of a host. A stranger's are returned only if all of them are public.

    The resolver's addresses are checked and never the name itself, because "0x7f.1" is this machine, too. `deadline`: a
    time of `monotonic`. Raises NotReachedError.
    """
    looked_up = look_up(host)
    with contextlib.suppress(FutureTimeoutError):
        looked_up.exception(max(0.0, deadline - monotonic()))
    return judge(host, looked_up, trust)


def judge(host: str, looked_up: "Future[list[str]]", trust: Trust) -> list[str]:
    """The addresses that a look-up found, if they may be used. Raises NotReachedError, also if it is not done yet, which
    counts as too slow."""
    name = host.removesuffix(".")
    if not looked_up.done():
        raise NotReachedInTimeError(f"{name} cannot be reached: its name was not resolved in time")
    if error := looked_up.exception():
        words = getattr(error, "strerror", None) or type(error).__name__
        raise NotReachedError(f"{name} cannot be reached: {words}") from error
    addresses = looked_up.result()
    if trust is Trust.STRANGER and not all(map(is_public, addresses)):
        raise RefusedAddressError(f"{name} is no public address")
    return addresses


def look_up(host: str) -> "Future[list[str]]":
    """Start to ask the system's resolver; an IP address in its usual form is returned without asking."""
    with contextlib.suppress(ValueError):
        ip_address(host)
        found: Future[list[str]] = Future()
        found.set_result([host])
        return found
    return _look_ups.begin(host)


class LookUps:
    """Threads that ask the system's resolver, one name at a time. A call of the resolver cannot be stopped, so a name that
    hangs occupies one thread until the resolver gives up; callers that ask for the same name share that thread.
    """

    MOST_THREADS = 512
    IDLE_SECONDS = 10.0

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start with no threads and no look-ups, for example in a forked process, which has none of the threads."""
        self._change = threading.Condition()
        self._asked: dict[str, Future[list[str]]] = {}
        self._waiting: deque[str] = deque()
        self._threads = self._idle = 0

    def begin(self, host: str) -> "Future[list[str]]":
        with self._change:
            if host in self._asked:
                return self._asked[host]
            future = self._asked[host] = Future()
            future.set_running_or_notify_cancel()  # one caller must not cancel what others wait for
            self._waiting.append(host)
            if self._idle >= len(self._waiting):
                self._change.notify()
            elif self._threads < self.MOST_THREADS:
                self._start_thread()
        return future

    def _start_thread(self) -> None:
        # Raised where the machine allows no more threads: an existing one will take the name.
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=self._work, name="resolver", daemon=True).start()
            self._threads += 1

    def _work(self) -> None:
        while (host := self._next()) is not None:
            try:
                addresses = _addresses(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
            except Exception as error:  # an unusable name is a UnicodeError
                self._take(host).set_exception(error)
            else:
                self._take(host).set_result(addresses)

    def _next(self) -> str | None:
        """The next name; None after IDLE_SECONDS without one."""
        with self._change:
            while not self._waiting:
                self._idle += 1
                is_wanted = self._change.wait(self.IDLE_SECONDS)
                self._idle -= 1
                if not is_wanted and not self._waiting:
                    self._threads -= 1
                    return None
            return self._waiting.popleft()

    def _take(self, host: str) -> "Future[list[str]]":
        with self._change:
            return self._asked.pop(host)


def _addresses(found: Iterable[tuple[object, ...]]) -> list[str]:
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))  # type: ignore[index]


_look_ups = LookUps()
os.register_at_fork(after_in_child=_look_ups.forget)
