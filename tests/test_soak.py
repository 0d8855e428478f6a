"""The rendered tests that take a while (`nox -s soak`)."""

import pytest

from tests.support.shell import run
from tests.support.template import Render


@pytest.mark.soak
def test_load_and_outages(render: Render) -> None:
    """`make soak`: a load through SIGTERM and a crash of the database, 60,000 requests, no leak."""
    project = render(preset="full")
    run(project, "make", "install")
    assert "passed" in run(project, "make", "soak")
