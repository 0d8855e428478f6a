"""What this project adds to the service. This file is yours: no update of the template changes it.

CONTRIBUTING.md shows how to add a resource, a setting, a command and more.
"""

from app.core.feature import Feature

PROJECT = Feature(
    routers=(),
)
