"""The ten points of the sync facade, each a bug that a well-known library had, and the tests of each.

Each of these tests runs in a process of its own and fails on the naive bridge, as its docstring says how:
``python -m pytest tests/sync --naive-bridge`` sees to it. The other tests of this folder go further.
"""

from __future__ import annotations

__all__ = ["POINTS"]

POINTS: dict[str, tuple[str, ...]] = {
    "1. after a fork the child works": (
        "test_sync_fork.py::test_parent_and_child_both_go_on",
        "test_sync_fork.py::test_a_derived_client_survives_its_first",
        "test_sync_fork.py::test_ten_forks_amid_the_calls_of_other_threads",
        "test_sync_fork.py::test_a_fork_in_a_thread",
    ),
    "2. Ctrl-C cancels the call, waits for it a bounded time, and is raised": (
        "test_sync_exit.py::test_ctrl_c_in_a_call",
    ),
    "3. a call on the portal's own loop is refused; where another loop runs it works": (
        "test_sync_points.py::test_on_the_portals_own_loop_and_beside_another",
    ),
    "4. a thread that died and a client that is closed say so": (
        "test_sync_points.py::test_a_dead_thread_and_a_closed_client_say_so",
    ),
    "5. exit with calls in flight ends soon and without a warning": (
        "test_sync_exit.py::test_exit_lets_other_threads_finish_their_calls",
        "test_sync_exit.py::test_an_exit_handler_that_joins_a_daemon_thread_is_not_kept_for_ever",
    ),
    "6. context variables are seen inside, and our frames do not fill the traceback": (
        "test_sync_points.py::test_context_variables_and_a_short_traceback",
    ),
    "7. what the user's own work raises is the user's": (
        "test_sync_points.py::test_what_the_users_work_raises_is_the_users",
    ),
    "8. pages cross the bridge, not items, and an abandoned iterator is closed": (
        "test_sync_points.py::test_pages_cross_and_not_items",
        "test_sync_points.py::test_an_iterator_abandoned_on_the_loops_own_thread_is_closed",
    ),
    "9. 64 threads share one client, and many clients leave one thread and no socket": (
        "test_sync_points.py::test_64_threads_and_many_clients",
    ),
    "10. the requests and results of create_many cross in batches": (
        "test_sync_points.py::test_create_many_crosses_in_batches",
    ),
}
