"""Video: pictures on a time axis, taken by presentation time and kept small, each by itself."""

from __future__ import annotations

from pipeline.modalities import MediaType

# MP4 has no signature: `raw.media_types` takes for it what has a brand that nothing else claims.
MEDIA_TYPES = (
    MediaType("video/mp4", (".mp4", ".m4v")),
    MediaType(
        "video/quicktime", (".mov", ".qt"), rb".{4}ftypqt  |\0.{3}(moov|mdat|wide|free|skip)"
    ),
    MediaType("video/3gpp", (".3gp", ".3g2"), rb".{4}ftyp3g"),
    MediaType("video/webm", (".webm",), rb"\x1a\x45\xdf\xa3.{0,60}\x42\x82.{1,8}webm"),
    MediaType("video/x-matroska", (".mkv",), rb"\x1a\x45\xdf\xa3"),
    MediaType("video/x-msvideo", (".avi",), rb"RIFF.{4}AVI "),
    MediaType("video/mpeg", (".mpg", ".mpeg", ".vob", ".m1v", ".m2v"), rb"\0\0\x01[\xba\xb3]"),
    MediaType("video/mp2t", (".mts", ".m2t"), rb"(G.{187}){4}G"),
    MediaType("video/ogg", (".ogv",), rb"OggS.{23,80}(\x80theora|OVP80)"),
    # Pictures that move are pictures unless a table says that they are video.
    MediaType("image/gif", (".gif",), rb"GIF8[79]a"),
    MediaType("image/webp", (".webp",), rb"RIFF.{4}WEBP"),
)
INLINE = None
LEAK_KEY = "phash"
