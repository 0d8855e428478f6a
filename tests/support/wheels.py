"""Which locked libraries would have to be built: images and CI have no compiler."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from packaging.markers import Marker, default_environment
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

Package = dict[str, Any]

GLIBC = range(36, 16, -1)
"""The minor versions that a wheel may be for: Debian 12, the oldest that is tried, has 2.36."""


@dataclass(frozen=True)
class Target:
    """A Python on a machine: `Target("3.14", "linux", "aarch64")`."""

    python: str
    system: str
    machine: str

    @cached_property
    def tags(self) -> frozenset[Tag]:
        """The tags of wheels that install here."""
        version = tuple(map(int, self.python.split(".")))
        if self.system == "darwin":
            platforms = list(mac_platforms((14, 0), self.machine))
        else:
            platforms = [f"manylinux_2_{minor}_{self.machine}" for minor in GLIBC]
            platforms.append(f"manylinux2014_{self.machine}")
        interpreter = f"cp{self.python.replace('.', '')}"
        return frozenset(
            {
                *cpython_tags(version, [interpreter], platforms),
                *compatible_tags(version, interpreter, platforms),
            }
        )

    def wants(self, dependency: Package) -> bool:
        """Return whether the marker of a dependency holds here."""
        environment: dict[str, Any] = {
            **default_environment(),
            "python_version": self.python,
            "python_full_version": f"{self.python}.9",
            "sys_platform": self.system,
            "platform_system": self.system.capitalize(),
            "platform_machine": self.machine,
        }
        marker = dependency.get("marker")
        return marker is None or Marker(marker).evaluate(environment)

    def without_wheel(self, lock: str) -> list[str]:
        """Return the libraries of a lock that have no wheel for this target."""
        packages = {package["name"]: package for package in tomllib.loads(lock)["package"]}
        (root,) = (each for each in packages.values() if "registry" not in each["source"])
        needed: dict[str, Package] = {}
        waiting = [root]
        while waiting:
            for name in self._needs(waiting.pop()):
                if name not in needed:
                    needed[name] = packages[name]
                    waiting.append(packages[name])
        return sorted(name for name, package in needed.items() if not self._has_wheel(package))

    def _needs(self, package: Package) -> Iterator[str]:
        """Yield what a package needs here, with all of its extras that are locked."""
        parts = ("optional-dependencies", "dev-dependencies")
        groups = [group for part in parts for group in package.get(part, {}).values()]
        for group in (package.get("dependencies", ()), *groups):
            yield from (each["name"] for each in group if self.wants(each))

    def _has_wheel(self, package: Package) -> bool:
        names = (wheel["url"].rpartition("/")[2] for wheel in package.get("wheels", ()))
        return any(parse_wheel_filename(name)[3] & self.tags for name in names)
