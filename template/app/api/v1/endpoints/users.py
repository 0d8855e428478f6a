"""Accounts: the caller's own, and for admins all."""

from typing import Annotated

from fastapi import Depends, Query, Request, status
from fastapi.responses import StreamingResponse

from app.accounts.permissions import Permission
from app.api.ids import id_path
from app.api.router import Router
from app.dependencies.auth import (
    CurrentAdmin,
    CurrentUser,
    UserServiceDep,
    require_permission,
)
from app.schemas.pagination import Id
from app.schemas.user import (
    PasswordChange,
    UserAdminUpdate,
    UserExport,
    UserPage,
    UserPageQuery,
    UserRead,
    UserUpdate,
)
from app.services.export import export_document

router = Router(prefix="/users", tags=["users"])

ONE_USER = id_path("user_id")

may_read_users = Depends(require_permission(Permission.READ_USERS))


@router.get("/me")
async def read_me(user: CurrentUser) -> UserRead:
    """Return your account."""
    return UserRead.model_validate(user)


@router.get("/me/export", response_class=StreamingResponse, responses={200: {"model": UserExport}})
async def export_me(request: Request, user: CurrentUser) -> StreamingResponse:
    """Return everything that is stored about you."""
    state = request.state
    return StreamingResponse(
        export_document(
            UserRead.model_validate(user), state.exports, state.session_factory, user.id
        ),
        media_type="application/json",
        headers={
            "Content-Disposition": 'attachment; filename="export.json"',
            "Cache-Control": "no-store",
        },
    )


@router.put("/me")
async def update_me(data: UserUpdate, user: CurrentUser, users: UserServiceDep) -> UserRead:
    """Change your account.

    A new e-mail address or username requires your password: in `current_password`, or within the
    last ten minutes by `POST /auth/reauthenticate`. Otherwise, the response is a 403 with the
    `error_code` `reauthentication_required`.
    """
    return await users.update_own(user, data)


@router.put("/me/password", status_code=status.HTTP_204_NO_CONTENT)
async def change_password(data: PasswordChange, user: CurrentUser, users: UserServiceDep) -> None:
    """Change your password, with the current one each time. All your other sessions end."""
    await users.change_password(user, data)


@router.delete("/me", status_code=status.HTTP_204_NO_CONTENT)
async def delete_me(user: CurrentUser, users: UserServiceDep) -> None:
    """Delete your account and everything that belongs to it.

    It requires `POST /auth/reauthenticate` within the last ten minutes. Otherwise, the response is
    a 403 with the `error_code` `reauthentication_required`.
    """
    await users.delete_own(user)


@router.get("/", dependencies=[may_read_users])
async def list_users(query: Annotated[UserPageQuery, Query()], users: UserServiceDep) -> UserPage:
    """List accounts."""
    return await users.page(query)


@router.get(ONE_USER, dependencies=[may_read_users])
async def read_user(user_id: Id, users: UserServiceDep) -> UserRead:
    """Return an account."""
    return await users.get(user_id)


# They require the role, not a permission: its holder could make themselves an admin.
@router.put(ONE_USER)
async def update_user(
    user_id: Id, data: UserAdminUpdate, admin: CurrentAdmin, users: UserServiceDep
) -> UserRead:
    """Change an account. A new role or status ends its sessions."""
    return await users.update(admin, user_id, data)


@router.delete(ONE_USER, status_code=status.HTTP_204_NO_CONTENT)
async def delete_user(user_id: Id, admin: CurrentAdmin, users: UserServiceDep) -> None:
    """Delete an account and everything that belongs to it."""
    await users.delete(admin, user_id)
