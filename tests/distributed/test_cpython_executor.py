"""CPython's own tests of executors, run on Client.get_executor()."""

import time
import unittest

import pytest

try:
    import test.test_concurrent_futures as theirs

    ExecutorTest, WaitTests, AsCompletedTests = theirs.ExecutorTest, theirs.WaitTests, theirs.AsCompletedTests
except (ImportError, AttributeError):
    try:
        from test.test_concurrent_futures.executor import ExecutorTest
        from test.test_concurrent_futures.test_as_completed import AsCompletedTests
        from test.test_concurrent_futures.test_wait import WaitTests
    except ImportError:
        pytest.skip("this Python comes without its tests", allow_module_level=True)

_client = None


@pytest.fixture(autouse=True)
def _with_client(client):
    global _client
    _client = client
    yield
    _client = None


class _Mixin:
    worker_count = 2

    def setUp(self):
        self.t1 = time.monotonic()
        self.executor = _client.get_executor()

    def tearDown(self):
        self.executor.shutdown(wait=True)


class TestExecutor(_Mixin, ExecutorTest, unittest.TestCase):
    @unittest.skip("looks for the references of a thread pool's own work items")
    def test_no_stale_references(self):
        """An executor of another process keeps none here."""

    @unittest.skip("makes an executor of its own with the number of workers")
    def test_max_workers_negative(self):
        """The cluster has its workers already."""


class TestWait(_Mixin, WaitTests, unittest.TestCase):
    pass


class TestAsCompleted(_Mixin, AsCompletedTests, unittest.TestCase):
    pass


del ExecutorTest, WaitTests, AsCompletedTests
