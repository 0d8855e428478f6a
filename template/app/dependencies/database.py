"""The request's database session."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.session import get_db

# Scope "function": the commit happens before the response is sent.
DBSession = Annotated[AsyncSession, Depends(get_db, scope="function")]
