"""Accounts: the caller's own, and for admins all."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, status

from app.accounts.permissions import Permission
from app.dependencies.auth import (
    CurrentAdmin,
    CurrentSession,
    CurrentUser,
    UserServiceDep,
    require_permission,
)
from app.schemas.pagination import Id
from app.schemas.user import (
    PasswordChange,
    UserAdminUpdate,
    UserPage,
    UserPageQuery,
    UserRead,
    UserUpdate,
)

router = APIRouter(prefix="/users", tags=["users"])

may_read_users = Depends(require_permission(Permission.READ_USERS))


@router.get("/me")
async def read_me(user: CurrentUser) -> UserRead:
    """Return your account."""
    return UserRead.model_validate(user)


@router.put("/me")
async def update_me(data: UserUpdate, user: CurrentUser, users: UserServiceDep) -> UserRead:
    """Change your account. A new e-mail address requires your password."""
    return await users.update_own(user, data)


@router.put("/me/password", status_code=status.HTTP_204_NO_CONTENT)
async def change_password(
    data: PasswordChange, session: CurrentSession, users: UserServiceDep
) -> None:
    """Change your password. All your other sessions end."""
    await users.change_password(session, data)


@router.delete("/me", status_code=status.HTTP_204_NO_CONTENT)
async def delete_me(user: CurrentUser, users: UserServiceDep) -> None:
    """Delete your account and everything that belongs to it."""
    await users.delete_own(user)


@router.get("/", dependencies=[may_read_users])
async def list_users(query: Annotated[UserPageQuery, Query()], users: UserServiceDep) -> UserPage:
    """List accounts."""
    return await users.page(query)


@router.get("/{user_id}", dependencies=[may_read_users])
async def read_user(user_id: Id, users: UserServiceDep) -> UserRead:
    """Return an account."""
    return await users.get(user_id)


# They require the role, not a permission: its holder could make themselves an admin.
@router.put("/{user_id}")
async def update_user(
    user_id: Id, data: UserAdminUpdate, admin: CurrentAdmin, users: UserServiceDep
) -> UserRead:
    """Change an account. A new role or status ends its sessions."""
    return await users.update(admin, user_id, data)


@router.delete("/{user_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_user(user_id: Id, admin: CurrentAdmin, users: UserServiceDep) -> None:
    """Delete an account and everything that belongs to it."""
    await users.delete(admin, user_id)
