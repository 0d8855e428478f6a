"""What is refused."""


class RefusedError(ValueError):
    """Something cannot be done as asked; nothing was changed. The message says what to do."""
