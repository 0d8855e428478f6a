"""The floor's routes for accounts, over the service's table: PyJWT, argon2-cffi and the ORM."""

import os
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from fastapi import APIRouter, Depends, Form, HTTPException
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, mapped_column

from dev.bench.floor_database import Base, Session

SECRET = os.environ["JWT_SECRET_KEY"]

router = APIRouter()
hasher = PasswordHasher()  # a hash has its own parameters, those of the service


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
    """An account, as clients see it."""

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


class Tokens(BaseModel):
    """The answer to a login."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105  # its type


async def get_current_user(
    session: Session, credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
) -> User:
    """Return the user of the token, which the service or the floor has signed."""
    claims = jwt.decode(
        credentials.credentials, SECRET, algorithms=["HS256"], options={"verify_aud": False}
    )
    user = await session.get(User, int(claims["sub"]))
    if user is None:
        raise HTTPException(401)
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


@router.get("/users/me")
async def read_me(user: CurrentUser) -> UserRead:
    """Return the caller's account."""
    return UserRead.model_validate(user)


@router.get("/users/")
async def list_users(_user: CurrentUser, session: Session) -> UserPage:
    """Return the first page of accounts."""
    statement = select(User).order_by(User.created_at.desc(), User.id.desc()).limit(20)
    users = [UserRead.model_validate(user) for user in await session.scalars(statement)]
    total = await session.scalar(select(func.count()).select_from(User))
    return UserPage(users=users, total=total or 0)


@router.post("/auth/login")
async def login(form: Annotated[Login, Form()], session: Session) -> Tokens:
    """Return a token for the right password."""
    user = await session.scalar(select(User).where(User.username == form.username))
    if user is None:
        raise HTTPException(401)
    try:
        await run_in_threadpool(hasher.verify, user.hashed_password, form.password)
    except VerifyMismatchError:
        raise HTTPException(401) from None
    claims = {"sub": str(user.id), "exp": datetime.now(UTC) + timedelta(minutes=30)}
    return Tokens(access_token=jwt.encode(claims, SECRET))
