"""Accounts."""

from sqlalchemy import BigInteger, Boolean, Identity, Index, String, Text, true
from sqlalchemy.orm import Mapped, mapped_column, validates

from app.accounts.names import name_key
from app.accounts.permissions import Role
from app.db.base import Base, TimestampMixin

UNUSABLE_HASH = "!"
"""The beginning of `hashed_password` where there is no password. No hash begins like this."""


class User(TimestampMixin, Base):
    """An account.

    E-mail address and username are stored as they were typed. Their computed keys decide whether
    two are equal.
    """

    __tablename__ = "users"
    __table_args__ = (
        Index(None, "created_at", "id"),
        *(
            # The index of the unique constraint finds beginnings only in some locales.
            Index(f"ix_users_{key}_prefix", key, postgresql_ops={key: "text_pattern_ops"})
            for key in ("email_key", "username_key")
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(Text)
    email_key: Mapped[str] = mapped_column(Text, unique=True)
    username: Mapped[str] = mapped_column(Text)
    username_key: Mapped[str] = mapped_column(Text, unique=True)
    full_name: Mapped[str] = mapped_column(Text, server_default="")
    hashed_password: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(32), server_default=Role.USER, index=True)
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=true(), index=True)

    @validates("email", "username")
    def _set_key(self, name: str, value: str) -> str:
        setattr(self, f"{name}_key", name_key(value))
        return value
