"""FFmpeg through PyAV, an extra: on one thread, by one instruction set, and with no file but one.

Whatever chooses its kernels by the processor is held to AVX2 where the project is (`instructions:
avx2`), and decoders and the conversion of colours are asked for their exact forms, so that the same
file gives the same pixels on every x86-64 processor.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.files.file_bytes import Bytes, reader_of
from pipeline.core.machine.processor import instructions
from pipeline.core.machine.shortage import prove_room

# Decoders that see foreign bytes; FFmpeg has hundreds.
DECODERS = (
    "h264,hevc,libdav1d,av1,vp8,vp9,mpeg4,msmpeg4,msmpeg4v2,h263,mpeg1video,mpeg2video,theora,mjpeg,"
    "gif,prores,dvvideo,ffv1,rawvideo,png,qtrle,"
    "aac,mp3,mp3float,mp2,mp2float,ac3,eac3,opus,libopus,vorbis,flac,alac,amrnb,amrwb,wmav1,wmav2,"
    "adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,"
    "pcm_f32le,pcm_mulaw,pcm_alaw,pcm_dvd,pcm_bluray"
)
# libavutil/cpu.h: MMX, MMXEXT, SSE to SSE4.2, AVX, CMOV, AVX2, FMA3, BMI1 and BMI2.
AVX2 = 0x7D3DB
DECODER_BYTES = 64 << 20
# More than this at once FFmpeg refuses, whatever the machine has (av_max_alloc).
LARGEST_ALLOCATION = 2**31


@functools.cache
def library() -> Any:
    """PyAV, silent and held to the project's instruction set.

    Raises
    ------
    PipelineError
        It is not installed.
    """
    try:
        import av
    except ImportError:
        raise PipelineError(
            "video is read by PyAV, which is not installed: "
            "pip install 'multimodal-pipeline[video]'"
        ) from None
    av.logging.set_level(None)
    _utilities()
    return av


def build() -> dict[str, str]:
    """FFmpeg's version and the instruction set that it is held to, of which pixels are a function.

    `processor` says that it could not be held, and that a processor's own kind is keyed.
    """
    utilities = _utilities()
    if utilities is None:
        return {"ffmpeg": str(library().ffmpeg_version_info), "cpu_flags": "unknown"}
    version, flags = utilities.av_version_info().decode(), utilities.av_get_cpu_flags()
    return {"ffmpeg": version, "cpu_flags": hex(flags & 0xFFFFFFFF)}


def open_file(data: Bytes, kind: str, max_pixels: int) -> Any:
    """An open container, whose parser is `kind` and that may open nothing else.

    Parameters
    ----------
    max_pixels:
        Largest width times height that a decoder may allocate.
    """
    options = {
        "protocol_whitelist": "",
        "format_whitelist": kind if kind != "mov" else "mov,mp4,m4a,3gp,3g2,mj2",
        "codec_whitelist": DECODERS,
        "max_pixels": str(max_pixels),
    }
    return library().open(
        reader_of(data),
        format=kind,
        options=options,
        metadata_errors="ignore",
        io_open=_refuse,
    )


def ready(track: Any, max_pixels: int = 1, keep_damaged: bool = False) -> None:
    """Prepare a track's decoder, before its first packet."""
    context = track.codec_context
    context.thread_count = 1
    context.thread_type = 0
    context.options = {
        "codec_whitelist": DECODERS,
        "max_pixels": str(max_pixels),
        "flags": "bitexact",
        "idct": "simple",
        "err_detect": "crccheck" if keep_damaged else "crccheck+explode",
    }


@contextmanager
def reading() -> Iterator[None]:
    """Whatever FFmpeg says of a file's bytes is a reject, unless the machine fell short."""
    errors = library().error
    try:
        yield
    except errors.MemoryError:
        prove_room(LARGEST_ALLOCATION)
        raise Rejected("damaged", "the video claims more memory than any can need") from None
    except (errors.FFmpegError, ValueError):
        prove_room(DECODER_BYTES)
        raise Rejected("damaged", "the video breaks off or is damaged on the way") from None


def _refuse(url: str, flags: int, options: dict[str, str]) -> Any:
    raise Rejected("external_reference", "the video refers to a file or an address")


@functools.cache
def _utilities() -> Any:
    """PyAV's libavutil, held to the project's instruction set; None where no wheel brought it.

    It is loaded without PyAV, which takes ten times as long, and is the one that PyAV then uses.
    """
    spec = importlib.util.find_spec("av")
    paths = [] if spec is None else Path(str(spec.origin)).parents[1].glob("av.libs/libavutil*.so*")
    utilities = next((ctypes.CDLL(str(path)) for path in sorted(paths)), None)
    if utilities:
        utilities.av_version_info.restype = ctypes.c_char_p
        if instructions() == "avx2":
            utilities.av_force_cpu_flags(AVX2)
    return utilities
