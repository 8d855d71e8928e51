"""All routes of `interview`."""

from fastapi import APIRouter

from services.interview import reading, recording

router = APIRouter()
router.include_router(recording.router)
router.include_router(reading.router)
