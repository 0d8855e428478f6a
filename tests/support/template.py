"""The template that is tested."""

from collections.abc import Callable
from pathlib import Path

from copier_fastapi.questions import Questions

ROOT = Path(__file__).parents[2]

PARTS = ("copier.yml", "extensions/features", "extensions/moves.yml", "template")
"""What the template is made of. The rest of the repository is about it."""

QUESTIONS = Questions.load(ROOT)

Render = Callable[..., Path]
"""Renders the template with some answers, as the fixture `render` does."""
