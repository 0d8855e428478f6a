"""The floor's routes for accounts: PyJWT and the ORM, over the table that the service has made."""

import os
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from argon2 import PasswordHasher
from fastapi import APIRouter, Depends, Form, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.settings.database_url import parse_database_url

router = APIRouter()
engine = create_async_engine(parse_database_url(os.environ["DATABASE_URL"]), pool_size=10)
sessions = async_sessionmaker(engine, expire_on_commit=False)
hasher = PasswordHasher()  # only checks: each hash brings its own parameters
SECRET = os.environ["JWT_SECRET_KEY"]


class Base(DeclarativeBase):
    """The base of the model."""


class User(Base):
    """An account."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    username: Mapped[str]
    full_name: Mapped[str]
    hashed_password: Mapped[str]
    role: Mapped[str]
    is_active: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class UserRead(BaseModel):
    """An account, as it is shown."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    email: str
    username: str
    full_name: str
    role: str
    is_active: bool
    created_at: datetime
    updated_at: datetime


class UserPage(BaseModel):
    """A page of accounts."""

    users: list[UserRead]
    total: int


class Login(BaseModel):
    """The form of a login."""

    username: str
    password: str


async def session() -> AsyncGenerator[AsyncSession]:
    """Yield a session."""
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(session)]


async def current_user(
    session: Session, credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
) -> User:
    """Return the user of the token."""
    claims = jwt.decode(
        credentials.credentials,
        SECRET,
        algorithms=["HS256"],
        options={"verify_aud": False},  # the service made it, for itself
    )
    user = await session.get(User, int(claims["sub"]))
    if user is None:
        raise HTTPException(401)
    return user


CurrentUser = Annotated[User, Depends(current_user)]


@router.get("/users/me")
async def read_me(user: CurrentUser) -> UserRead:
    """Return the account of the token."""
    return UserRead.model_validate(user)


@router.get("/users/")
async def list_users(_user: CurrentUser, session: Session) -> UserPage:
    """Return a page of accounts."""
    statement = select(User).order_by(User.created_at.desc(), User.id.desc()).limit(20)
    users = [UserRead.model_validate(user) for user in await session.scalars(statement)]
    total = await session.scalar(select(func.count()).select_from(User))
    return UserPage(users=users, total=total or 0)


@router.post("/auth/login")
async def login(form: Annotated[Login, Form()], session: Session) -> dict[str, str]:
    """Return a token for the right password."""
    user = await session.scalar(select(User).where(User.username == form.username))
    if user is None:
        raise HTTPException(401)
    hasher.verify(user.hashed_password, form.password)
    claims = {"sub": str(user.id), "exp": datetime.now(UTC) + timedelta(minutes=30)}
    return {"access_token": jwt.encode(claims, SECRET), "token_type": "bearer"}
