"""Recipes that make a clip sound as if recorded otherwise, and the operations that they name.

Positions and widths are shares of the clip, levels are relative to it, frequencies stand in hertz:
a recipe needs no knowledge of the clip and fits any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from pipeline.core.options import Options as Base
from pipeline.modalities.audio.content import SAMPLING_RATE, Content
from pipeline.modalities.audio.mel import hertz, mel
from pipeline.modalities.audio.spectrum import Complex, istft, stft

# Of the phase vocoder: 64 ms resolve a voice's harmonics, and hops of a quarter overlap enough.
WINDOW, HOP = 1024, 256
PEAK = 0.999
Operation = dict[str, Any]


def _ascending(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError(f"the lower limit comes first: {limits[1]:g}, {limits[0]:g}")
    return limits


Share = Annotated[float, Field(ge=0, le=1)]
Decibels = Annotated[
    tuple[Annotated[float, Field(ge=-60, le=60)], Annotated[float, Field(ge=-60, le=60)]],
    AfterValidator(_ascending),
]
Rates = Annotated[
    tuple[Annotated[float, Field(ge=0.5, le=2)], Annotated[float, Field(ge=0.5, le=2)]],
    AfterValidator(_ascending),
]
Semitones = Annotated[
    tuple[Annotated[float, Field(ge=-24, le=24)], Annotated[float, Field(ge=-24, le=24)]],
    AfterValidator(_ascending),
]


class Options(Base):
    """How many views a clip has, how often each operation occurs, and within what limits."""

    views: int = Field(default=2, ge=0, le=100, description="augmented views of each clip")
    stretch_probability: Share = Field(default=0.5, description="share of views so treated")
    stretch_rate: Rates = Field(
        default=(0.9, 1.1), description="tempo as a multiple; above 1 is faster, at the same pitch"
    )
    shift_probability: Share = Field(default=0.5, description="share of views so treated")
    shift_most: Share = Field(
        default=0.2, description="longest silence put before or after, as a share of the clip"
    )
    noise_probability: Share = Field(default=0.5, description="share of views so treated")
    noise_snr_db: Decibels = Field(
        default=(10.0, 40.0), description="level of the clip above the noise, in dB"
    )
    noise_colours: tuple[Literal["white", "pink"], ...] = Field(
        default=("white", "pink"), min_length=1, description="kinds of noise, equally often"
    )
    time_mask_probability: Share = Field(default=0.3, description="share of views so treated")
    time_mask_most: Share = Field(
        default=0.15, description="longest span silenced, as a share of the clip"
    )
    frequency_mask_probability: Share = Field(default=0.3, description="share of views so treated")
    frequency_mask_most: Share = Field(
        default=0.15, description="widest band taken out, as a share of the mel scale up to 8 kHz"
    )
    gain_probability: Share = Field(default=0.5, description="share of views so treated")
    gain_db: Decibels = Field(default=(-12.0, 6.0), description="change of level, in dB")
    pitch_probability: Share = Field(default=0.0, description="share of views so treated")
    pitch_semitones: Semitones = Field(
        default=(-2.0, 2.0), description="change of pitch at the same tempo, in semitones"
    )


def draw(rng: np.random.Generator, options: Options) -> list[Operation]:
    """The operations of one view, in order, as JSON-able dictionaries with the name under `op`."""
    drawn = [
        (options.stretch_probability, _draw_stretch),
        (options.shift_probability, _draw_shift),
        (options.noise_probability, _draw_noise),
        (options.time_mask_probability, _draw_time_mask),
        (options.frequency_mask_probability, _draw_frequency_mask),
        (options.gain_probability, _draw_gain),
        # Drawn last, so that recipes without it are those that they were before it was there.
        (options.pitch_probability, _draw_pitch),
    ]
    return [make(rng, options) for probability, make in drawn if rng.random() < probability]


def apply(content: Content, recipe: list[Operation]) -> Content:
    """The clip, float32 (samples,), after the recipe: float32, of another length where it says so.

    Turned down as a whole where its peak would leave [-1, 1). Unknown operations raise KeyError.
    """
    for operation in recipe:
        arguments = {name: value for name, value in operation.items() if name != "op"}
        content = OPERATIONS[operation["op"]](content, **arguments)
    peak = np.abs(content).max(initial=0)
    return content * np.float32(PEAK / peak) if peak > PEAK else content


def stretch(content: Content, rate: float) -> Content:
    """Faster (rate above 1) or slower at the same pitch, by a phase vocoder.

    Flanagan and Golden (1966); equals `librosa.effects.time_stretch` with the same window and hop.
    """
    return istft(_vocode(stft(content, WINDOW, HOP), rate), HOP, max(1, round(len(content) / rate)))


def shift(content: Content, share: float) -> Content:
    """Silence before the clip (share above 0) or after it (below), so that nothing is lost."""
    silence = np.zeros(round(abs(share) * len(content)), np.float32)
    return np.concatenate([silence, content] if share > 0 else [content, silence])


def noise(content: Content, snr_db: float, colour: str, seed: int) -> Content:
    """White noise, or pink (3 dB less an octave up), `snr_db` below the clip's own RMS level."""
    from scipy import fft

    size = fft.next_fast_len(len(content), real=True)
    added = np.random.Generator(np.random.PCG64(seed)).standard_normal(size, np.float32)
    if colour == "pink":
        spectrum = fft.rfft(added)
        spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum), dtype=np.float32)))
        added = fft.irfft(spectrum, size)
    added = added[: len(content)]
    wanted = np.sqrt(np.mean(np.square(content))) * 10 ** (-snr_db / 20)
    loudness = np.sqrt(np.mean(np.square(added)))
    return content + added * np.float32(wanted / max(loudness, np.finfo(np.float32).tiny))


def time_mask(content: Content, start: float, width: float) -> Content:
    """A span silenced; start and width are shares of the clip (SpecAugment, Park et al., 2019)."""
    first = round(start * len(content))
    masked = content.copy()
    masked[first : first + round(width * len(content))] = 0
    return masked


def frequency_mask(content: Content, low_hz: float, high_hz: float) -> Content:
    """A band of frequencies taken out of the whole clip (SpecAugment, Park et al., 2019)."""
    from scipy import fft

    size = fft.next_fast_len(len(content), real=True)
    spectrum = fft.rfft(content, size)
    first, last = (int(np.ceil(edge * size / SAMPLING_RATE)) for edge in (low_hz, high_hz))
    spectrum[first:last] = 0
    return fft.irfft(spectrum, size)[: len(content)]


def gain(content: Content, db: float) -> Content:
    """Louder or softer by `db`."""
    return content * np.float32(10 ** (db / 20))


def pitch(content: Content, n_steps: float) -> Content:
    """Higher by `n_steps` semitones (lower below 0), as long as before."""
    import librosa

    # The phase vocoder warns of clips shorter than its window.
    padded = np.pad(content, (0, max(0, WINDOW - len(content))))
    shifted: Content = librosa.effects.pitch_shift(
        padded, sr=SAMPLING_RATE, n_steps=n_steps, n_fft=WINDOW, hop_length=HOP
    )
    return shifted[: len(content)]


OPERATIONS: dict[str, Callable[..., Content]] = {
    "stretch": stretch,
    "shift": shift,
    "noise": noise,
    "time_mask": time_mask,
    "frequency_mask": frequency_mask,
    "gain": gain,
    "pitch": pitch,
}


def _vocode(spectrum: Complex, rate: float) -> Complex:
    """The spectrum at every `rate`-th frame: magnitudes interpolated, phases advancing as there.

    A frame's phase is the first one's plus all advances so far. Wrapping the advances to half a
    turn, as the textbooks do, changes phases by whole turns only and is left out.
    """
    steps = np.arange(0, len(spectrum), rate)
    before = steps.astype(np.intp)
    padded = np.concatenate([spectrum, np.zeros((2, spectrum.shape[1]), spectrum.dtype)])
    later = (steps - before).astype(np.float32)[:, None]
    magnitudes = np.abs(padded)
    magnitude = (1 - later) * magnitudes[before] + later * magnitudes[before + 1]
    angles = np.angle(padded)
    phases = np.empty((len(steps), spectrum.shape[1]))
    phases[0] = angles[0]
    phases[1:] = (angles[before + 1] - angles[before])[:-1]
    np.cumsum(phases, axis=0, out=phases)
    turned = phases.astype(np.float32)
    stretched = np.empty(turned.shape, np.complex64)
    np.multiply(magnitude, np.cos(turned), out=stretched.real)
    np.multiply(magnitude, np.sin(turned), out=stretched.imag)
    return stretched


def _draw_stretch(rng: np.random.Generator, options: Options) -> Operation:
    return {"op": "stretch", "rate": _between(rng, *options.stretch_rate)}


def _draw_shift(rng: np.random.Generator, options: Options) -> Operation:
    return {"op": "shift", "share": _between(rng, -options.shift_most, options.shift_most)}


def _draw_noise(rng: np.random.Generator, options: Options) -> Operation:
    return {
        "op": "noise",
        "snr_db": _between(rng, *options.noise_snr_db),
        "colour": options.noise_colours[int(rng.integers(len(options.noise_colours)))],
        "seed": int(rng.integers(2**32)),
    }


def _draw_time_mask(rng: np.random.Generator, options: Options) -> Operation:
    width = _between(rng, 0, options.time_mask_most)
    return {"op": "time_mask", "start": _between(rng, 0, 1 - width), "width": width}


def _draw_frequency_mask(rng: np.random.Generator, options: Options) -> Operation:
    top = float(mel(SAMPLING_RATE / 2))
    width = rng.uniform(0, options.frequency_mask_most * top)
    low = rng.uniform(0, top - width)
    low_hz, high_hz = (round(float(hertz(edge)), 1) for edge in (low, low + width))
    return {"op": "frequency_mask", "low_hz": low_hz, "high_hz": high_hz}


def _draw_gain(rng: np.random.Generator, options: Options) -> Operation:
    return {"op": "gain", "db": _between(rng, *options.gain_db)}


def _draw_pitch(rng: np.random.Generator, options: Options) -> Operation:
    return {"op": "pitch", "n_steps": _between(rng, *options.pitch_semitones)}


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform between the limits, to four places: a recipe is read by people too."""
    return round(float(rng.uniform(low, high)), 4)
