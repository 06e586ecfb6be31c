"""OpenCV as this project uses it: one thread, and silent, because bad files are rejects."""

from __future__ import annotations

import cv2

cv2.setNumThreads(1)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

__all__ = ["cv2"]
