"""The event-loop thread: one daemon thread with one loop for all sync clients of a process.

It starts with the first call, never at import. After `fork()` the child gets a thread and a loop of its own.
Python waits for non-daemon threads before it exits, and so for their calls. The calls of daemon threads are
cancelled at exit, and these threads are held, so that they print no tracebacks about it.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from _thread import interrupt_main
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast
from weakref import WeakSet

from plexypay_async.errors import ConfigurationError, ConnectError, OutcomeUnknownError, PlexyPayError

if TYPE_CHECKING:
    from plexypay_async._core.execution import Transport

__all__ = ["Portal", "portal", "refuse_green_threads"]

P = ParamSpec("P")
T = TypeVar("T")

CANCEL_TIMEOUT = 1.0
"""Seconds to wait for cancelled work, after Ctrl-C and at exit."""

SIGNAL_INTERVAL = 0.25
"""Seconds after which a waiting caller sees a signal that came just before it began to wait."""

CLOSING_TIME = 0.01
"""Seconds in which a generator has been closed."""

DAEMON_HOLD = 2.0
"""Seconds that a daemon thread's call does not return for at exit; the interpreter has ended by then."""


class Portal:
    """Runs coroutine functions on its own thread, for threads that have no event loop."""

    def __init__(self) -> None:
        self._transports: WeakSet[Transport] = WeakSet()
        # What a forked child has of its parent's loop is kept alive and never closed: its sockets and its
        # selector are in use by the parent.
        self._inherited: list[Any] = []
        self._renew()

    def _renew(self) -> None:
        # Reentrant: a signal handler that makes a call may interrupt the thread that is starting the loop.
        self._lock = threading.RLock()
        self._thread: LoopThread | None = None
        self._exiting = False

    def run(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a coroutine function on the portal's loop and return its result.

        It sees the caller's context variables. An exception in the caller while it waits, such as
        KeyboardInterrupt, cancels it and is raised once it has ended, or after `CANCEL_TIMEOUT` seconds.

        Raises:
            ConfigurationError: It is called on the portal's own loop, after the interpreter began to exit, or
                where threads are greenlets.
            OutcomeUnknownError: The loop ended while the call was under way.
            ConnectError: The loop ended before the call began.
            BaseException: What the function raises.
        """
        thread = self._running_thread()
        job = Job(partial(function, *args, **kwargs))
        try:
            thread.start_job(job)
            # A signal in the instant before the wait does not end it: let Python handle signals in between.
            while not job.wait(SIGNAL_INTERVAL):
                pass
            error = job.error
            if error is None:
                return cast("T", job.value)
            if self._exiting:
                _hold_daemon()
        except BaseException:
            thread.cancel_job(job)
            raise
        try:
            raise error
        finally:
            # The error's traceback holds this frame, which must hold neither the error nor the call.
            del error, job, function

    def run_if_started(
        self, function: Callable[P, Coroutine[Any, Any, object]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Run a coroutine function like `run`, or do nothing where no loop runs (any more)."""
        thread = self._thread
        if thread is not None and not thread.ended and not self._exiting:
            self.run(function, *args, **kwargs)

    def post(self, function: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run a coroutine function some time soon, if a loop runs, and do not wait for it.

        The garbage collector may call this in any thread and while that holds any lock.
        """
        thread = self._thread
        if thread is not None:
            thread.start_job(Job(function))

    def interrupt_again(self) -> None:
        """Raise KeyboardInterrupt in the main thread in a moment, since the one just raised will be lost.

        Python prints and drops what a generator raises while it is collected, as after a `break`.
        """
        thread = self._thread
        if thread is not None:
            thread.call_soon(partial(thread.loop.call_later, CLOSING_TIME, _interrupt_main))

    def wake(self, loop: asyncio.AbstractEventLoop | None, callback: Callable[[], object]) -> None:
        """Call a function on `loop` some time soon, if that is this process' running loop."""
        thread = self._thread
        if thread is not None and thread.loop is loop:
            thread.call_soon(callback)

    def renew_after_fork(self, transport: Transport) -> None:
        """Make `transport` drop its parent's connections in every forked child."""
        self._transports.add(transport)

    def _running_thread(self) -> LoopThread:
        refuse_green_threads()
        thread = self._thread
        if thread is None or thread.ended or self._exiting:
            thread = self._started()
        if thread.is_current():
            raise ConfigurationError(
                "a sync client was called on its own event loop and would wait for itself; use the async one"
            )
        return thread

    def _started(self) -> LoopThread:
        with self._lock:
            thread = self._thread
            if thread is not None and thread.is_current():
                return thread
            if not self._exiting:
                if thread is None or thread.ended:
                    self._thread = thread = LoopThread.started()
                return thread
        _hold_daemon()
        raise ConfigurationError("the interpreter is exiting: a sync client takes no more calls")

    def stop(self) -> None:
        """Cancel what is under way and close every connection, at exit, within `CANCEL_TIMEOUT` seconds."""
        with self._lock:
            self._exiting = True
            thread = self._thread
        if thread is not None:
            thread.stop(CANCEL_TIMEOUT)

    def after_fork_in_child(self) -> None:
        """Start again: of the parent's threads only the one that forked exists here."""
        thread = self._thread
        self._renew()
        connections = [transport.let_go() for transport in list(self._transports)]
        if thread is not None:
            thread.inherited.append(connections)
            self._inherited.append(thread)


def refuse_green_threads() -> None:
    """Refuse to work where gevent or eventlet has put greenlets in the place of threads.

    The loop's thread would be a greenlet of the thread that waits for it, and never run.

    Raises:
        ConfigurationError: What to do instead.
    """
    gevent: Any = sys.modules.get("gevent.monkey")
    eventlet: Any = sys.modules.get("eventlet.patcher")
    if gevent is not None and gevent.is_module_patched("threading"):
        name = "gevent"
    elif eventlet is not None and eventlet.is_monkey_patched("thread"):
        name = "eventlet"
    elif gevent is not None and uvloop is None and gevent.is_module_patched("selectors"):
        raise ConfigurationError(
            "the sync clients' event loop cannot run on gevent's selectors: install plexypay[speedups], or"
            " patch without them, monkey.patch_all(thread=False, select=False)"
        )
    else:
        return
    raise ConfigurationError(
        f"a sync client needs a real thread for its event loop, and {name} has patched threads: a call would"
        " hang. Use workers with real threads (gunicorn's gthread, Celery's prefork or threads), or patch all"
        " but threads (thread=False); a call then holds up its whole thread"
    )


def _is_sub_interpreter() -> bool:
    for name in ("_interpreters", "_xxsubinterpreters"):
        # Python 3.11 has no public way to ask, and the module has changed its name.
        with contextlib.suppress(ImportError):
            module = import_module(name)
            return bool(module.get_current() != module.get_main())
    return False


def _interrupt_main() -> None:
    if hasattr(signal, "pthread_kill"):
        # Unlike `interrupt_main`, this interrupts a wait.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        interrupt_main()


def _hold_daemon() -> None:
    """Keep a daemon thread from printing a traceback at exit: usually the interpreter has ended before."""
    if threading.current_thread().daemon:
        time.sleep(DAEMON_HOLD)


class Job(Generic[T]):
    """One coroutine function to run on the loop, and its result."""

    def __init__(self, function: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self.value: T | None = None
        self.error: BaseException | None = None
        self.finished = False
        # A bare lock: an exception that interrupts the wait for a condition may leave the condition locked,
        # and then the loop would wait for the caller.
        self._done = threading.Lock()
        self._done.acquire()
        self._function = function
        self._task: asyncio.Task[None] | None = None
        self._begun = False

    def start(self, thread: LoopThread) -> None:
        """Begin; called on the loop."""
        if thread.ended:
            return
        self._task = thread.loop.create_task(self._run(thread))

    def cancel(self, thread: LoopThread) -> None:
        """Cancel; called on the loop."""
        if self._task is not None:
            self._task.cancel()
        if not self._begun:
            # A task that is cancelled before its first step never takes it, so nothing else ends the job.
            thread.forget(self)

    def end(self) -> None:
        """Give an error to a caller that still waits."""
        if not self.finished:
            # Both the caller of a job that never began and the end of the loop may do this.
            with contextlib.suppress(RuntimeError):
                self._finish(None, self._cut_error())

    def wait(self, timeout: float) -> bool:
        """Wait in the caller, the only thread that waits; tell whether the job is finished."""
        return self._done.acquire(timeout=timeout)

    def _finish(self, value: T | None, error: BaseException | None) -> None:
        self.value, self.error = value, error
        # Dropped here, on the loop's thread: dropping a task runs a callback of asyncio's, and a
        # KeyboardInterrupt in such a callback would be printed and lost.
        self._task = None
        self.finished = True
        self._done.release()

    async def _run(self, thread: LoopThread) -> None:
        # Nothing is raised on the loop: a SystemExit of the user's there would end the thread for all.
        self._begun = True
        try:
            value = await self._function()
        except asyncio.CancelledError:
            self.end()
        except BaseException as error:  # noqa: BLE001 - raised in the caller
            self._finish(None, _shortened(error))
        else:
            self._finish(value, None)
        finally:
            thread.forget(self)

    def _cut_error(self) -> PlexyPayError:
        if not self._begun:
            return ConnectError("the clients' event loop ended before the call began: nothing was sent")
        return OutcomeUnknownError(
            "the call was cut on the clients' event loop while it was under way: it may have happened"
        )


def _shortened(error: BaseException) -> BaseException:
    traceback = error.__traceback__
    # A caller needs to see where their own code raised, not where the library raised its own error.
    own = isinstance(error, PlexyPayError) or traceback is None
    return error.with_traceback(None if own or traceback is None else traceback.tb_next)


class LoopThread:
    """An event loop on a daemon thread of its own, from its start to its end."""

    loop: asyncio.AbstractEventLoop
    """Set once `started` has returned; made on the thread, where no signal handler can interrupt that."""

    def __init__(self) -> None:
        self.ended = False
        """Whether it takes no more jobs."""
        self.inherited: list[Any] = []
        """In a forked child, which does not have this thread: what belongs to its loop."""
        self._jobs: set[Job[Any]] = set()
        self._closed = threading.Event()
        self._unwanted = False
        self._failure: Exception | None = None
        self._begun = threading.Lock()
        self._begun.acquire()
        self._thread = threading.Thread(target=self._serve, name="plexypay", daemon=True)

    @classmethod
    def started(cls) -> LoopThread:
        """Return a new thread whose loop runs.

        Raises:
            ConfigurationError: The system gives no thread or no loop, the interpreter is exiting, or it is
                not the process' main one.
        """
        if SUB_INTERPRETER:
            # A sub-interpreter that ends while it has a thread ends the whole process.
            raise ConfigurationError(
                "a sync client starts no thread in a sub-interpreter: use it in the main one (under mod_wsgi:"
                " WSGIApplicationGroup %{GLOBAL}), or an async client"
            )
        started = cls()
        failure: Exception | None
        try:
            started._thread.start()
            started._begun.acquire()
            failure = started._failure
        except RuntimeError as error:
            failure = error
        except BaseException:
            started._abandon()
            raise
        if failure is not None:
            raise ConfigurationError(f"the event-loop thread cannot start: {failure}") from failure
        return started

    def _abandon(self) -> None:
        """End it, however far its start has come: the thread that starts it was interrupted."""
        self._unwanted = True
        if hasattr(self, "loop"):
            self.call_soon(self.loop.stop)

    def is_current(self) -> bool:
        """Tell whether the caller runs on this thread."""
        return threading.current_thread() is self._thread

    def start_job(self, job: Job[Any]) -> None:
        """Begin a job, which is finished whatever happens to the loop."""
        # Added before the loop is asked; `_serve` closes the loop before it looks at jobs: none is missed.
        self._jobs.add(job)
        if not self.call_soon(job.start, self):
            self.forget(job)

    def forget(self, job: Job[Any]) -> None:
        """Drop a job that has ended, in whatever way."""
        self._jobs.discard(job)
        job.end()

    def cancel_job(self, job: Job[Any]) -> None:
        """Cancel a job and wait until it has released its connection, at most `CANCEL_TIMEOUT` seconds."""
        if not job.finished and self.call_soon(job.cancel, self):
            job.wait(CANCEL_TIMEOUT)

    def call_soon(self, callback: Callable[..., object], *args: Any) -> bool:
        """Call a function on the loop some time soon; tell whether the loop took it."""
        if self._closed.is_set():
            return False
        try:
            self.loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            # The loop was closed in this very moment.
            return False
        return True

    def stop(self, timeout: float) -> None:
        """End the loop, and wait for that at most `timeout` seconds."""
        if self.call_soon(self.loop.stop):
            self._closed.wait(timeout)

    def _serve(self) -> None:
        try:
            self.loop = _new_event_loop()
        except Exception as error:  # noqa: BLE001 - raised in the caller
            self._failure, self.ended = error, True
            self._closed.set()
            return
        finally:
            self._begun.release()
        try:
            if not self._unwanted:
                self.loop.run_forever()
        finally:
            self.ended = True
            try:
                self._wind_up()
            finally:
                self.loop.close()
                self._closed.set()
                for job in list(self._jobs):
                    self.forget(job)

    def _wind_up(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=CANCEL_TIMEOUT / 2))
        # The clients' sessions close here, on the loop that they belong to, and then their sockets.
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(asyncio.sleep(0))


def _new_event_loop() -> asyncio.AbstractEventLoop:
    if uvloop is None:
        return asyncio.new_event_loop()
    loop: Any = uvloop.new_event_loop()
    # Its debug mode, which walks the stack for each timer, sometimes crashes the interpreter (uvloop's issues
    # 611, 715 and 730), also on Python 3.11.
    loop.set_debug(False)
    loop.getaddrinfo = partial(_getaddrinfo, loop.getaddrinfo)
    return cast("asyncio.AbstractEventLoop", loop)


async def _getaddrinfo(look_up: Callable[..., Awaitable[T]], host: object, port: object, **options: Any) -> T:
    """Keep uvloop from looking up what is an address already, which it does on libuv's threads.

    A forked child has none of those threads, but has libuv's count of them and of their work: with two
    look-ups under way at the fork the child's own never begin, and at exit it waits for missing threads.
    """
    # Told the socket's type, uvloop takes an address as it is, but drops the interface of a link-local one.
    if not options.get("type") and "%" not in str(host):
        options["type"] = socket.SOCK_STREAM
    return await look_up(host, port, **options)


def _import_uvloop() -> Any:
    """Import uvloop now, in the importing thread: a fork during a later import would leave its lock held."""
    # uvloop imports this module, which cannot be imported any more once the main thread has ended.
    import_module("concurrent.futures.thread")
    try:
        return import_module("uvloop")
    except ImportError:
        return None


uvloop: Any = _import_uvloop()
SUB_INTERPRETER = _is_sub_interpreter()
"""Found out here, since a call must import nothing."""
if uvloop is None:
    # The first loop of a process makes asyncio's policy, under a lock that a fork may leave held.
    asyncio.new_event_loop().close()
portal: Portal = Portal()
atexit.register(portal.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=portal.after_fork_in_child)
