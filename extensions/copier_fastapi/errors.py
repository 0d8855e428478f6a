"""The error that the command reports."""


class RefusedError(ValueError):
    """Something cannot be done as asked; nothing was changed. The message says what to do."""
