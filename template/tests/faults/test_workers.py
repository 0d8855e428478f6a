"""Worker processes that end."""

import os
import re
import signal

from app.core.config import Settings
from tests.server import Service, serving


def test_killed_process_is_replaced_at_once(settings: Settings) -> None:
    """X5: also while another one hangs, which takes seconds to detect."""
    with serving(settings, WEB_CONCURRENCY="2") as service:
        hung, killed = started(service), started(service)
        os.kill(hung, signal.SIGSTOP)
        os.kill(killed, signal.SIGKILL)
        assert f"[{killed}]" in service.next_line("died")
        assert started(service) not in {hung, killed}
        assert service.get("/live").status_code == 200


def started(service: Service) -> int:
    """Return the id of the next process that serves."""
    line = service.next_line("Started server process")
    found = re.search(r"\[(\d+)\]", line)
    assert found, line
    return int(found[1])
