"""What we add to Copier."""

from importlib.metadata import version

__version__ = version("copier-fastapi")
