"""Whose face it is: detected, aligned and recognised by networks that the user names.

OpenCV's `FaceDetectorYN` finds faces with their eyes, nose and corners of the mouth (Wu et al.,
"YuNet", Machine Intelligence Research 20, 2023); its `FaceRecognizerSF` turns one upright by these
points, onto 112 by 112 pixels, and encodes it (Zhong et al., "SFace", IEEE Transactions on Image
Processing 30, 2021). Both take ONNX files of that form, which this package does not bring: OpenCV's
model zoo has them, under MIT and Apache-2.0. Vectors are scaled to length 1, as the recogniser's
own cosine has them.

Of several faces the largest is taken. A picture without one is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.options import Options as Base

if TYPE_CHECKING:
    from pipeline.modalities.image.content import Image

MODALITY = "image"
LICENCE = "the models' own"
COST_MS = 40.0
# Of a detected face's 15 numbers the third and the fourth are its width and height.
WIDTH, HEIGHT = 2, 3
OVERLAP, MOST = 0.3, 500


class Options(Base):
    """Which networks, and what counts as a face."""

    detector: str = Field(
        description="path of the detector's ONNX file, in the form of face_detection_yunet"
    )
    recogniser: str = Field(
        description="path of the recogniser's ONNX file, in the form of face_recognition_sface"
    )
    least_score: float = Field(0.8, ge=0, le=1, description="of a face, at least, by the detector")
    least_side: int = Field(10, ge=1, description="pixels of a face's shorter side, at least")


def shape(options: Options) -> tuple[int, ...]:
    """As long as the recogniser's output; PipelineError where its file does not say it."""
    import onnx

    _, recogniser = weights(options)
    try:
        graph = onnx.load(recogniser, load_external_data=False).graph
        sizes = [size.dim_value for size in graph.output[0].type.tensor_type.shape.dim[1:]]
    except Exception as error:  # protobuf's own classes, and whatever a damaged file leads to
        raise PipelineError(f"{recogniser} is no ONNX file of a recogniser: {error}") from None
    if not sizes or not all(sizes):
        raise PipelineError(f"{recogniser} does not say how long its output is")
    return (math.prod(sizes),)


def weights(options: Options) -> list[Path]:
    """Both files; PipelineError if one is not there, or their names do not tell them apart."""
    paths = [Path(options.detector), Path(options.recogniser)]
    if missing := [str(path) for path in paths if not path.is_file()]:
        raise PipelineError(
            f"there is no file {' nor '.join(missing)}: the encoder face reads networks such as "
            "face_detection_yunet_2023mar.onnx and face_recognition_sface_2021dec.onnx of "
            "https://github.com/opencv/opencv_zoo"
        )
    if paths[0].name == paths[1].name:
        raise PipelineError(f"detector and recogniser are both called {paths[0].name}: rename one")
    return paths


def parameters(options: Options) -> dict[str, Any]:
    """What of the options is keyed: of the networks their bytes are, and not where they lie."""
    return options.model_dump(mode="json", exclude={"detector", "recogniser"})


class Encoder:
    """Pictures to vectors of length 1 of the largest face in each, one at a time."""

    def __init__(self, options: Options) -> None:
        from pipeline.modalities.image.opencv import cv2

        self._options, self._width = options, shape(options)[0]
        self._cv2 = cv2
        try:
            self._detector = cv2.FaceDetectorYN.create(
                options.detector, "", (32, 32), options.least_score, OVERLAP, MOST
            )
            self._recogniser = cv2.FaceRecognizerSF.create(options.recogniser, "")
        except cv2.error as error:
            raise PipelineError(f"OpenCV cannot read the face networks: {error}") from None

    def encode(self, contents: Sequence[Image]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors, float32 (n, D), and lengths, int32 (n,), all 1.

        Raises
        ------
        Rejected
            `no_face`: a picture has none.
        """
        vectors = np.empty((len(contents), self._width), np.float32)
        for row, picture in zip(vectors, contents, strict=True):
            row[:] = self._embed(picture)
        return vectors, np.ones(len(contents), np.int32)

    def _embed(self, picture: Image) -> np.ndarray:
        blue_first = np.ascontiguousarray(picture[..., ::-1])
        self._detector.setInputSize((picture.shape[1], picture.shape[0]))
        _, faces = self._detector.detect(blue_first)
        large = [] if faces is None else [face for face in faces if self._is_large(face)]
        if not large:
            raise Rejected("no_face", "no face was detected in the picture")
        largest = max(large, key=lambda face: face[WIDTH] * face[HEIGHT])
        upright = self._recogniser.alignCrop(blue_first, largest)
        vector = self._recogniser.feature(upright).reshape(-1)
        return vector / max(float(np.linalg.norm(vector)), 1e-12)

    def _is_large(self, face: np.ndarray) -> bool:
        return bool(min(face[WIDTH], face[HEIGHT]) >= self._options.least_side)
