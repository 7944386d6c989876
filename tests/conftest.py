"""Tests run side by side, one process a core: one thread each."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # before any test imports torch
    os.environ.setdefault("OMP_NUM_THREADS", "1")
