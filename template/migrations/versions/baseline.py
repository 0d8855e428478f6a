"""The beginning: an empty schema that knows its revision."""

from collections.abc import Sequence

revision: str = "baseline"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Create nothing; `/ready` can now see that migrations have run."""


def downgrade() -> None:
    """Leave nothing."""
