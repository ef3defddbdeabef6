"""A sandbox that outlives the workers which are killed under it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plexypay_async import RetryPolicy
from plexypay_async.bulk import PartitionSettings

from .served import SandboxProcess, ServedSandbox


@pytest.fixture(scope="session")
def _served() -> Iterator[ServedSandbox]:
    process = SandboxProcess()
    try:
        yield process.sandbox
    finally:
        process.stop()


@pytest.fixture
def sandbox(_served: ServedSandbox) -> ServedSandbox:
    """An empty sandbox without faults."""
    _served.reset()
    return _served


@pytest.fixture
def settings(sandbox: ServedSandbox) -> PartitionSettings:
    """Settings of a worker whose retries do not pause."""
    return PartitionSettings(
        api_key=sandbox.api_key,
        base_url=sandbox.base_url,
        timeout=30,
        retry=RetryPolicy(base=0.001, cap=0.01),
    )
