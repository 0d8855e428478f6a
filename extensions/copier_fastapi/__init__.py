"""The command `copier-fastapi`."""

from importlib.metadata import version

__version__ = version("copier-fastapi")
