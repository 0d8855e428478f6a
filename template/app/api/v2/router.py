"""Version 2 of the API: what changed since version 1, and only that."""

from fastapi import APIRouter

from app.api.v2.endpoints import items

router = APIRouter()
router.include_router(items.router)
