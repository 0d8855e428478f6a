"""What uvicorn is told, by `app serve` and by `app dev`."""

from typing import Any

from app.core.config import Settings
from app.core.feature import server_options
from app.features import FEATURES


def options_for(settings: Settings, **changes: Any) -> dict[str, Any]:
    with server_options(FEATURES, settings.model_copy(update=changes)) as options:
        return options


def test_idle_connections_outlive_those_of_load_balancers(settings: Settings) -> None:
    """X10: by default they are kept for 60 seconds by AWS and by nginx."""
    assert options_for(settings)["timeout_keep_alive"] > 60
    assert options_for(settings, keep_alive_timeout=620)["timeout_keep_alive"] == 620


def test_no_banner(settings: Settings) -> None:
    """X14: `app dev` answers with the headers of `app serve`."""
    assert options_for(settings)["server_header"] is False


def test_path_in_front_of_the_service(settings: Settings) -> None:
    """X17: a proxy may remove it from the addresses."""
    assert options_for(settings)["root_path"] == ""
    assert options_for(settings, root_path="/shop")["root_path"] == "/shop"
