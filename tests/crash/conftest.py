"""The same bench as the flows' tests."""

from tests.flows.conftest import bench, start_bench

__all__ = ["bench", "start_bench"]
