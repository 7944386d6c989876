"""Ruled and squared paper: find its lines, and take them out of the ink."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.float32]

_STRIPS = 16  # the page is read in strips across its lines
_SLOPES = np.linspace(-0.16, 0.16, 17)  # of the lines, up to 9 degrees
_LEAST_LINES = 6
_LONG = 0.6  # share of the strips that a line must cross
_REGULAR = 0.35  # autocorrelation of the profile at the period
_EVEN = 0.45  # tone of the lines: median deviation by median
_FAINT = 0.6  # tone of the lines by the tone of the drawing
_COLORED = 0.1  # distance from gray of a colored line


@dataclass(frozen=True, eq=False)
class _Line:
    """One ruled line: its row at every strip, and how dark it is."""

    places: NDArray[np.float64]  # rows, at the middle of each strip
    tone: float


def remove_ruling(ink: Plane, small: Plane, chroma: Plane) -> bool:
    """Take the lines of ruled or squared paper out of the ink, in place.

    Ruled lines are long, straight, evenly spaced and equally faint. What is darker than they are
    stays, so that lines of the drawing go on across them.

    Parameters
    ----------
    ink : ndarray
        [H, W] in 0..1; changed.
    small : ndarray
        The same at the size at which lines are looked for, [h, w].
    chroma : ndarray
        Distance from gray [h, w] in 0..1.

    Returns
    -------
    bool
        Whether there was a ruling.
    """
    if min(small.shape) < 128:
        return False
    across = _find(small, chroma)
    down = _find(small.T, chroma.T)
    if across and not down:
        down = _find_margin(small.T, chroma.T)
    elif down and not across:
        across = _find_margin(small, chroma)
    rows = ~_far_from(across, small.shape, 3)
    columns = ~_far_from(down, small.T.shape, 3).T
    kept = [_kept(ink, line, columns) for line in across]
    kept_down = [_kept(ink.T, line, rows.T) for line in down]
    for place, share in kept:
        ink[place] *= share
    for place, share in kept_down:
        ink.T[place] *= share
    return bool(across or down)


def _profiles(ink: Plane, strips: Iterable[int]) -> Plane:
    """Return the profile of some strips [n, h]: ink that goes on through half of the strip."""
    height, width = ink.shape
    rows = np.arange(height)
    parts = np.array_split(np.arange(width), _STRIPS)
    found = []
    for strip in strips:
        best = np.zeros(height, np.float32)
        columns = parts[strip][:: max(1, len(parts[strip]) // 16)]
        away = columns - parts[strip].mean()
        for slope in _SLOPES:
            shifted = np.clip(rows[:, None] + np.rint(slope * away).astype(int), 0, height - 1)
            best = np.maximum(best, np.median(ink[shifted, columns], 1))
        found.append(best)
    profiles: Plane = ndimage.gaussian_filter1d(np.array(found, np.float32), 1.0, axis=1)
    return profiles


def _period(profiles: Plane) -> float | None:
    """Return the spacing of the lines in pixels, if most strips have a regular one."""
    lags = []
    for profile in profiles:
        plain = np.minimum(profile, np.quantile(profile, 0.97))
        plain = plain - plain.mean()
        power = np.abs(np.fft.rfft(plain, 2 * len(plain))) ** 2
        likeness = np.fft.irfft(power)[: len(plain) // 5]
        likeness *= len(plain) / (len(plain) - np.arange(len(likeness)))
        if likeness[0] <= 1e-7:
            continue
        likeness /= likeness[0]
        falling = np.nonzero(likeness < 0.1)[0]
        if len(falling) == 0 or falling[0] + 3 >= len(likeness):
            continue
        lag = int(falling[0]) + int(likeness[falling[0] :].argmax())
        # the shortest of equally good periods
        peaks = [
            k
            for k in range(max(5, falling[0]), lag + 1)
            if likeness[k] > 0.8 * likeness[lag] and likeness[k] == likeness[k - 2 : k + 3].max()
        ]
        if likeness[lag] > _REGULAR and peaks:
            lags.append(peaks[0])
    if len(lags) < _LONG * len(profiles):
        return None
    period = float(np.median(lags))
    alike = np.abs(np.array(lags) - period) < 0.15 * period + 1
    return period if alike.sum() >= 0.5 * len(profiles) else None


def _peaks(profile: Plane, gap: float) -> NDArray[np.intp]:
    """Return the rows where a profile has a peak at least ``gap`` pixels from higher ones."""
    floor = max(0.015, 2.5 * float(np.median(profile)))
    size = 2 * max(1, int(gap)) + 1
    top = ndimage.maximum_filter1d(profile, size)
    first = np.append(True, profile[1:] > profile[:-1])  # of several equal rows
    return np.nonzero((profile == top) & (profile > floor) & first)[0]


def _between(profile: Plane, row: int) -> float:
    """Return the place of a peak between rows: the top of a parabola through three values."""
    if not 0 < row < len(profile) - 1:
        return float(row)
    before, here, after = (float(value) for value in profile[row - 1 : row + 2])
    curve = before - 2 * here + after
    return row + (0.5 * (before - after) / curve if curve < 0 else 0.0)


def _chains(profiles: Plane, gap: float, long: float) -> list[_Line]:
    """Link peaks from strip to strip into lines that cross most of the page."""
    open_chains: list[list[tuple[int, float, float]]] = []  # strip, row, tone
    for strip, profile in enumerate(profiles):
        free = list(_peaks(profile, gap))
        for chain in open_chains:
            last, row, _ = chain[-1]
            if strip - last > 4 or not free:
                continue
            slope = 0.0
            if len(chain) > 1:
                before = chain[max(0, len(chain) - 4)]
                slope = (row - before[1]) / (last - before[0])
            expected = row + slope * (strip - last)
            nearest = min(free, key=lambda peak: abs(peak - expected))
            if abs(nearest - expected) < max(2.5, 0.35 * gap):
                chain.append((strip, _between(profile, nearest), float(profile[nearest])))
                free.remove(nearest)
        open_chains += [[(strip, _between(profile, peak), float(profile[peak]))] for peak in free]
    lines = []
    for chain in open_chains:
        strips, rows, tones = (np.array(part, float) for part in zip(*chain, strict=True))
        if len(chain) < long * len(profiles):
            continue
        curve = np.polynomial.Polynomial.fit(strips, rows, min(2, len(chain) - 1))
        off = np.abs(curve(strips) - rows)
        if np.quantile(off, 0.8) > 1.5:
            continue  # not straight
        lines.append(_Line(curve(np.arange(len(profiles))), float(np.median(tones))))
    return lines


def _find(ink: Plane, chroma: Plane) -> list[_Line]:
    """Find a ruling whose lines go from left to right."""
    if _period(_profiles(ink, range(1, _STRIPS, 4))) is None:
        return []
    profiles = _profiles(ink, range(_STRIPS))
    period = _period(profiles)
    if period is None:
        return []
    lines = _complete(_chains(profiles, period / 3, _LONG), profiles, period, ink)
    if not lines:
        return []
    tones = np.array([line.tone for line in lines])
    tone = float(np.median(tones))
    if tone < 0.02 or np.median(np.abs(tones - tone)) > _EVEN * tone:
        return []
    drawing = ink[_far_from(lines, ink.shape)]
    dark = np.quantile(drawing, 0.995) if drawing.size else 0.0
    on_lines = ~_far_from(lines, ink.shape, 1) & (ink > tone / 2) & (ink < 1.5 * tone)
    colored = bool(on_lines.any()) and float(np.median(chroma[on_lines])) > _COLORED
    if tone >= _FAINT * dark and not (colored and tone < 1.5 * dark):
        return []
    # a line that the drawing covers is not darker than the others
    return [
        _Line(line.places, min(line.tone, 1.25 * tone)) for line in lines if line.tone > 0.3 * tone
    ]


def _complete(lines: list[_Line], profiles: Plane, period: float, ink: Plane) -> list[_Line]:
    """Fit a grid to the lines that were found, and return all lines of the grid.

    The row of line number k at strip u is a polynomial of degree 3 in both, for perspective and
    curled paper. All peaks near the grid take part in the next fit.

    Returns
    -------
    list of _Line
        Empty if the lines are too few, too uneven, or do not reach over the page.
    """
    if len(lines) < _LEAST_LINES:
        return []
    lines = sorted(lines, key=lambda line: float(line.places.mean()))
    middles = np.array([line.places.mean() for line in lines])
    if np.ptp(middles) < 0.55 * len(ink):
        return []
    # the period changes slowly down the page; lines that were missed leave gaps of several
    numbers, local = [0], period
    for step in np.diff(middles):
        count = max(1, round(step / local))
        numbers.append(numbers[-1] + count)
        if count == 1 and step > 0.75 * local:
            local += 0.3 * (step - local)
    top = max(1, numbers[-1])
    strips = np.arange(_STRIPS) / _STRIPS
    k, u = np.repeat(np.array(numbers) / top, _STRIPS), np.tile(strips, len(lines))
    rows = np.concatenate([line.places for line in lines])
    peaks = [_peaks(profile, period / 3) for profile in profiles]
    for more in (2, 4, 8):
        grid, off = _fit_grid(k, u, rows, np.arange(-more, top + more + 1) / top)
        if np.quantile(off, 0.7) > 0.12 * period:
            return []
        near = []
        for strip, found in enumerate(peaks):
            for peak in found:
                away = np.abs(grid[:, strip] - peak)
                if away.min() < 0.25 * period:
                    number = (int(away.argmin()) - more) / top
                    near.append((number, strips[strip], _between(profiles[strip], peak)))
        k, u, rows = (np.array(part) for part in zip(*near, strict=True))
    seen = grid[(grid.max(1) > -2) & (grid.min(1) < len(ink) + 2)]
    return [_Line(places, _tone(ink, _Line(places, 0.0))) for places in seen]


def _fit_grid(
    k: NDArray[np.float64],
    u: NDArray[np.float64],
    rows: NDArray[np.float64],
    numbers: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit rows at points (k, u), robustly; return rows [numbers, strips], and how far off each is.

    Least squares with weights after Cauchy: a stray peak of the drawing counts little.
    """

    def terms(k: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([k**i * u**j for i in range(4) for j in range(4 - i)], -1)

    weights = np.ones(len(rows))
    for _ in range(8):
        root = np.sqrt(weights)
        fitted = np.linalg.lstsq(terms(k, u) * root[:, None], rows * root, rcond=None)[0]
        off = np.abs(terms(k, u) @ fitted - rows)
        weights = 1 / (1 + off**2)
    grid = terms(*np.meshgrid(numbers, np.arange(_STRIPS) / _STRIPS, indexing="ij")) @ fitted
    return grid, off


def _tone(ink: Plane, line: _Line) -> float:
    """Return the ink that a line has along most of its length: a broken line has none."""
    columns = np.arange(0, ink.shape[1], 4)
    rows = np.rint(_rows(line, ink.shape[1])[columns]).astype(int)
    band = [ink[np.clip(rows + offset, 0, len(ink) - 1), columns] for offset in (-1, 0, 1)]
    return float(np.quantile(np.max(band, 0), 0.35))


def _find_margin(ink: Plane, chroma: Plane) -> list[_Line]:
    """Find the colored margin lines of ruled paper."""
    lines = _chains(_profiles(ink, range(_STRIPS)), 6, 0.8)
    kept = []
    for line in lines:
        near = ~_far_from([line], ink.shape, 1) & (ink > line.tone / 2)
        if near.any() and np.median(chroma[near]) > _COLORED:
            kept.append(_Line(line.places, 1.5 * _tone(ink, line)))
    return kept if len(kept) <= 3 else []


def _rows(line: _Line, width: int) -> NDArray[np.float64]:
    """Return the row of a line at each of ``width`` columns."""
    strips = [part.mean() for part in np.array_split(np.arange(width), len(line.places))]
    return np.polynomial.Polynomial.fit(strips, line.places, 2)(np.arange(width))


def _far_from(lines: list[_Line], size: tuple[int, ...], reach: int = 4) -> NDArray[np.bool_]:
    """Return where no line is within ``reach`` pixels."""
    far = np.ones(size, bool)
    columns = np.arange(size[1])
    for line in lines:
        rows = np.rint(_rows(line, size[1])).astype(int)
        for offset in range(-reach, reach + 1):
            far[np.clip(rows + offset, 0, size[0] - 1), columns] = False
    return far


def _kept(
    ink: Plane, line: _Line, others: NDArray[np.bool_]
) -> tuple[tuple[NDArray[np.int32], NDArray[np.int32]], Plane]:
    """Return which share of the ink stays around a line: all where it is darker than the line.

    Parameters
    ----------
    ink : ndarray
        [H, W].
    line : _Line
        At the size of `others`.
    others : ndarray
        Bool [h, w], where lines of the other direction are: two lines that cross are darker.

    Returns
    -------
    tuple of ndarray, ndarray
        Rows [n, W] and columns [W], and the share [n, W].
    """
    height, width = ink.shape
    scale = height / len(others)
    rows = _rows(_Line((line.places + 0.5) * scale - 0.5, line.tone), width)
    reach = max(3, round(4 * scale))
    offsets = np.arange(-reach, reach + 1, dtype=np.int32)
    index = np.clip(np.rint(rows).astype(np.int32) + offsets[:, None], 0, height - 1)
    columns = np.arange(width, dtype=np.int32)
    band = ink[index, columns]
    # the tone of the line along it: shadows and blur change it
    core = band[np.abs(offsets) <= max(1, round(2 * scale))].max(0)
    window = max(9, width // 12)
    step = max(1, window // 31)
    local = ndimage.median_filter(core[::step], max(3, window // step), mode="nearest")
    tone = np.interp(columns, columns[::step], local)
    tone = np.minimum(tone, 1.25 * line.tone)
    places = (index[reach] / scale).astype(int), (columns / scale).astype(int)
    crossing = others[places[0].clip(0, len(others) - 1), places[1].clip(0, others.shape[1] - 1)]
    low = np.where(crossing, 1 - (1 - 1.15 * tone) ** 2, 1.25 * tone) + 0.03
    high = low + 0.35 * tone + 0.05
    # where a line of the drawing crosses, all of it stays
    kept = ndimage.maximum_filter1d(np.clip((core - low) / (high - low), 0, 1), 3)
    share = np.maximum(kept, np.clip((band - low) / (high - low), 0, 1)).astype(np.float32)
    return (index, columns), share
