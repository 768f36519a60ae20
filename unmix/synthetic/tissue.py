"""Tissue as a drawing: where glands, fibres, vessels and nuclei lie, and how much of each dye they take up.

Sizes are in pixels of about half a micrometre, a slide scanned at 20x: an epithelial nucleus is some 14 pixels long.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from .fields import fibres, random_stream, smooth_field, smooth_step
from .nuclei import Nucleus, draw_nucleus

_TILE = 512
_CELL_WIDTH = 10.5
_WAVES = ((2, 0.14), (3, 0.09), (4, 0.05), (6, 0.03), (9, 0.015))


@dataclass
class Tissue:
    """The canvases a section is drawn on; every one is (y, x).

    Parameters
    ----------
    section : ndarray
        1 where there is tissue, 0 on bare glass.
    depth : ndarray
        How far inside a gland's outline a pixel lies; negative outside.
    arc : ndarray
        Place along the outline of the nearest gland, in pixels.
    thickness : ndarray
        Height of the epithelium.
    angle : ndarray
        Direction of the fibres, radians.
    open_space : ndarray
        1 where the section has a hole: lumen, vessel, cleft.
    cytoplasm, fibre, blood, chromatin, marker : ndarray
        What takes up dye: epithelial cytoplasm, collagen, red cells, nuclei, and the nuclei that carry the marker.
    glands : list of Gland
        The glands.
    """

    section: np.ndarray
    depth: np.ndarray
    arc: np.ndarray
    thickness: np.ndarray
    angle: np.ndarray
    open_space: np.ndarray
    cytoplasm: np.ndarray
    fibre: np.ndarray
    blood: np.ndarray
    chromatin: np.ndarray
    marker: np.ndarray
    glands: list[Gland]


@dataclass(frozen=True)
class Gland:
    """A gland cut across: an irregular ring of epithelium around a lumen."""

    y: float
    x: float
    radius: float
    thickness: float
    waves: tuple[tuple[int, float, float], ...]

    def outline(self, theta: np.ndarray) -> np.ndarray:
        """Return the distance from the centre to the outline in direction `theta`."""
        wave = np.sum([size * np.cos(k * theta + phase) for k, size, phase in self.waves], axis=0)
        return self.radius * (1 + wave)


def grow_tissue(seed: int, shape: tuple[int, int], positive_share: float) -> Tissue:
    """Draw a section: glands with lumen, fibrous stroma, a few vessels with red cells, and all their nuclei."""
    tissue = _bare_section(seed, shape)
    _place_glands(seed, tissue)
    _lay_fibres(seed, tissue)
    _line_glands(seed, tissue)
    _cut_vessels(seed, tissue)
    texture = chromatin_texture(seed, shape)
    marked = smooth_field(random_stream(seed, "marker"), shape, 45)
    rng = random_stream(seed, "nuclei")
    for nucleus in [*_epithelial_nuclei(rng, tissue), *_stromal_nuclei(rng, tissue)]:
        local = marked[_inside(nucleus.y, shape[0]), _inside(nucleus.x, shape[1])]
        chance = positive_share * nucleus.markable * (1 + 0.8 * local)
        draw_nucleus(tissue.chromatin, tissue.marker, nucleus, texture, positive=rng.random() < chance, rng=rng)
    return tissue


def chromatin_texture(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Return clumps of about two pixels, mean 0, standard deviation 1."""
    rng = random_stream(seed, "chromatin")
    clumps = smooth_field(rng, shape, 1.3) + 0.5 * smooth_field(rng, shape, 2.6)
    return clumps / clumps.std()


def _bare_section(seed: int, shape: tuple[int, int]) -> Tissue:
    """Return empty canvases and the outline of the section: one corner is bare glass."""
    rng = random_stream(seed, "section")
    y, x = np.indices(shape) / max(shape)
    direction = rng.uniform(0, 2 * np.pi)
    size = max(shape)
    level = np.sin(direction) * y + np.cos(direction) * x
    level += 0.05 * smooth_field(rng, shape, 70) + 0.008 * smooth_field(rng, shape, 9)
    edge = np.quantile(level, rng.uniform(0.86, 0.92))
    section = smooth_step((edge - level) * size / 1.2)
    depth = np.full(shape, -np.inf)
    names = [knob.name for knob in fields(Tissue) if knob.name not in ("section", "depth", "glands")]
    return Tissue(section=section, depth=depth, glands=[], **{name: np.zeros(shape) for name in names})


def _place_glands(seed: int, tissue: Tissue) -> None:
    """Throw glands at the section until it is full; fill `depth`, `arc` and `thickness`."""
    rng = random_stream(seed, "glands")
    height, width = tissue.section.shape
    n_tries = int(400 * max(1.0, height * width / _TILE**2))
    for _ in range(n_tries):
        y, x, radius = rng.uniform(-20, height + 20), rng.uniform(-20, width + 20), rng.uniform(44, 82)
        thickness = rng.uniform(23, 29)
        waves = tuple((k, rng.uniform(0.2, 1) * size, rng.uniform(0, 2 * np.pi)) for k, size in _WAVES)
        on_tissue = tissue.section[_inside(y, height), _inside(x, width)] > 0.9
        apart = all(np.hypot(y - g.y, x - g.x) > 1.06 * (radius + g.radius) + 14 for g in tissue.glands)
        if on_tissue and apart:
            tissue.glands.append(Gland(y, x, radius, thickness, waves))
    wobble = smooth_field(rng, (height, width), 6)
    for gland in tissue.glands:
        rows, columns = _window(gland.y, gland.x, 2.2 * gland.radius, (height, width))
        dy, dx = np.ogrid[rows, columns]
        dy, dx = dy - gland.y, dx - gland.x
        theta = np.arctan2(dy, dx)
        outline = gland.outline(theta)
        depth = outline - np.hypot(dy, dx) + 0.7 * wobble[rows, columns]
        nearer = depth > tissue.depth[rows, columns]
        tissue.depth[rows, columns] = np.where(nearer, depth, tissue.depth[rows, columns])
        tissue.arc[rows, columns] = np.where(nearer, theta * gland.radius, tissue.arc[rows, columns])
        tissue.thickness[rows, columns] = np.where(nearer, gland.thickness, tissue.thickness[rows, columns])
    np.maximum(tissue.depth, -120.0, out=tissue.depth)


def _lay_fibres(seed: int, tissue: Tissue) -> None:
    """Fill `angle` and `fibre`: collagen bundles that wind around the glands, with clefts between them."""
    rng = random_stream(seed, "fibres")
    shape = tissue.section.shape
    tissue.angle[:] = _fibre_angle(rng, tissue.depth)
    fine = fibres(rng, tissue.angle, thickness=0.9, length=16)
    coarse = fibres(rng, tissue.angle, thickness=2.4, length=34)
    grain = 0.030 * smooth_field(rng, shape, 1.0) + 0.035 * smooth_field(rng, shape, 3.5)
    bundles = 0.36 + 0.070 * fine + 0.075 * coarse + 0.05 * smooth_field(rng, shape, 26) + grain
    clefts = fibres(rng, tissue.angle, thickness=1.9, length=26) + 0.5 * smooth_field(rng, shape, 20)
    cleft = smooth_step((clefts - 1.75) / 0.16)
    beside = (
        0.8 * np.exp(-0.5 * ((tissue.depth + 4.5) / 1.5) ** 2) * smooth_step(4 * smooth_field(rng, shape, 16) - 4.5)
    )
    outside = smooth_step(-tissue.depth / 0.8)
    gap = outside * np.maximum(cleft, beside)
    tissue.fibre[:] = np.clip(bundles, 0.06, None) * outside * (1 - gap)
    tissue.open_space[:] = np.maximum(tissue.open_space, gap)


def _fibre_angle(rng: np.random.Generator, depth: np.ndarray) -> np.ndarray:
    """Return a direction for every pixel: wavy bundles that turn along the outline where a gland is near.

    Directions have no sense, so they are blended by their double angle.
    """
    shape = depth.shape
    free = rng.uniform(0, np.pi) + 0.75 * smooth_field(rng, shape, 60) + 0.22 * smooth_field(rng, shape, 13)
    slope = np.gradient(np.clip(depth, -60, 0))
    outline = np.arctan2(slope[0], slope[1]) + np.pi / 2 + 0.12 * smooth_field(rng, shape, 11)
    near = np.exp(np.minimum(depth, 0) / 16)
    sine = (1 - near) * np.sin(2 * free) + near * np.sin(2 * outline)
    cosine = (1 - near) * np.cos(2 * free) + near * np.cos(2 * outline)
    return 0.5 * np.arctan2(sine, cosine)


def _line_glands(seed: int, tissue: Tissue) -> None:
    """Fill `cytoplasm` with columnar epithelium on a thin basement membrane, goblet cells, and an open lumen."""
    rng = random_stream(seed, "epithelium")
    shape = tissue.section.shape
    inside = smooth_step(tissue.depth / 0.8)
    apical = tissue.thickness + 1.8 * smooth_field(rng, shape, 4) + 2.0 * smooth_field(rng, shape, 12)
    lumen = smooth_step((tissue.depth - apical) / 0.9)
    phase = 2 * np.pi * tissue.arc / _CELL_WIDTH + 0.9 * smooth_field(rng, shape, 7)
    border = np.exp(-((1 - np.cos(phase)) / 0.12))
    grain = 0.035 * smooth_field(rng, shape, 1.4) + 0.05 * smooth_field(rng, shape, 9)
    brush = 0.12 * np.exp(-0.5 * ((tissue.depth - apical + 1.5) / 1.2) ** 2)
    cytoplasm = 0.36 + grain + 0.09 * border + brush - 0.06 * np.clip(tissue.depth / np.maximum(apical, 1), 0, 1)
    mucin = 0.05 + 0.05 * np.clip(smooth_field(rng, shape, 14), 0, None) * (1 + 0.6 * smooth_field(rng, shape, 2))
    tissue.cytoplasm[:] = inside * ((1 - lumen) * cytoplasm + lumen * np.clip(mucin - 0.05, 0, None))
    membrane = 0.20 * np.exp(-0.5 * ((tissue.depth + 0.5) / 1.1) ** 2)
    tissue.fibre += membrane * (1 - tissue.open_space)
    tissue.open_space[:] = np.maximum(tissue.open_space, inside * lumen)
    for gland in tissue.glands:
        _empty_goblets(rng, tissue, gland)


def _empty_goblets(rng: np.random.Generator, tissue: Tissue, gland: Gland) -> None:
    """Make some cells of a gland goblet cells: a pale bag of mucus above the nucleus."""
    share = rng.uniform(0.0, 0.4)
    n_cells = int(2 * np.pi * gland.radius / _CELL_WIDTH)
    for theta in 2 * np.pi * (np.arange(n_cells) + 0.5) / n_cells - np.pi:
        if rng.random() > share:
            continue
        distance = float(gland.outline(np.array(theta))) - gland.thickness * rng.uniform(0.62, 0.72)
        y, x = gland.y + distance * np.sin(theta), gland.x + distance * np.cos(theta)
        rows, columns = _window(y, x, 14, tissue.section.shape)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        dy, dx = np.ogrid[rows, columns]
        radial = (dx - x) * np.cos(theta) + (dy - y) * np.sin(theta)
        across = (dy - y) * np.cos(theta) - (dx - x) * np.sin(theta)
        radius = np.hypot(radial / rng.uniform(6.5, 8.5), across / rng.uniform(4.0, 5.2))
        tissue.cytoplasm[rows, columns] *= 1 - 0.72 * smooth_step((1 - radius) * 5)


def _cut_vessels(seed: int, tissue: Tissue) -> None:
    """Open a few capillaries in the stroma, away from the glands, and put red cells in them."""
    rng = random_stream(seed, "vessels")
    height, width = tissue.section.shape
    room = np.minimum(-tissue.depth, 30) * (tissue.section > 0.99) + rng.uniform(0, 8, (height, width))
    y, x = np.indices((height, width))
    room[(y < 24) | (x < 24) | (y >= height - 24) | (x >= width - 24)] = -np.inf
    for _ in range(max(1, round(4 * height * width / _TILE**2))):
        row, column = np.unravel_index(room.argmax(), room.shape)
        if room[row, column] < 11:
            return
        room[np.hypot(y - row, x - column) < 110] = -np.inf
        _draw_vessel(rng, tissue, float(row), float(column))


def _draw_vessel(rng: np.random.Generator, tissue: Tissue, y: float, x: float) -> None:
    """Draw one capillary along the fibres: a thin wall, a flat nucleus or two, and discs of red cells."""
    along, half_length, half_width = tissue.angle[int(y), int(x)], rng.uniform(17, 30), rng.uniform(8.5, 12)
    rows, columns = _window(y, x, half_length + 8, tissue.section.shape)
    dy, dx = np.ogrid[rows, columns]
    u = (dx - x) * np.cos(along) + (dy - y) * np.sin(along)
    v = (dy - y) * np.cos(along) - (dx - x) * np.sin(along)
    ring = (1 - np.hypot(u / half_length, v / half_width)) * half_width
    lumen = smooth_step((ring - 1.0) / 0.6)
    tissue.fibre[rows, columns] *= 1 - lumen
    tissue.fibre[rows, columns] += 0.22 * np.exp(-0.5 * (ring / 1.2) ** 2)
    tissue.open_space[rows, columns] = np.maximum(tissue.open_space[rows, columns], lumen)
    placed: list[tuple[float, float]] = []
    for _ in range(160):
        cu, cv, radius = rng.uniform(-half_length, half_length), rng.uniform(-half_width, half_width), rng.uniform(5, 6)
        fits = np.hypot(cu / (half_length - radius + 1), cv / (half_width - radius + 1)) < 1
        if fits and all(np.hypot(cu - pu, cv - pv) > 9.5 for pu, pv in placed):
            placed.append((cu, cv))
            distance = np.hypot((u - cu) / rng.uniform(0.85, 1.1), v - cv)
            disc = smooth_step((radius - distance) / 0.5) * (0.78 + 0.16 * np.clip(distance / radius, 0, 1) ** 2)
            tissue.blood[rows, columns] = np.maximum(tissue.blood[rows, columns], disc)
    texture = np.zeros(tissue.section.shape)
    for end in (-1, 1):
        cu, cv = end * half_length * rng.uniform(0.2, 0.7), rng.choice([-1, 1]) * half_width
        cv *= np.sqrt(1 - (cu / half_length) ** 2)
        at = (y + cu * np.sin(along) + cv * np.cos(along), x + cu * np.cos(along) - cv * np.sin(along))
        flat = Nucleus(*at, 7.5, 1.9, along, 0.95, 0, 0.05)
        draw_nucleus(tissue.chromatin, tissue.marker, flat, texture, positive=False, rng=rng)


def _epithelial_nuclei(rng: np.random.Generator, tissue: Tissue) -> list[Nucleus]:
    """Return oval nuclei that stand on the basement membrane, side by side."""
    nuclei = []
    for gland in tissue.glands:
        spacing = rng.uniform(8.8, 10.4)
        n_cells = int(2 * np.pi * gland.radius / spacing)
        density = rng.uniform(0.66, 0.9)
        for k in range(n_cells):
            theta = 2 * np.pi * (k + rng.uniform(-0.25, 0.25)) / n_cells
            lift = rng.normal(0.36, 0.06) + (0.24 if rng.random() < 0.2 else 0.0)
            distance = float(gland.outline(np.array(theta))) - gland.thickness * lift
            y, x = gland.y + distance * np.sin(theta), gland.x + distance * np.cos(theta)
            axes = rng.uniform(6.4, 8.6), rng.uniform(3.9, 5.2)
            tilt = theta + rng.normal(0, 0.16)
            nuclei.append(Nucleus(y, x, *axes, tilt, density * rng.uniform(0.85, 1.15), int(rng.integers(0, 3)), 1.0))
    return nuclei


def _stromal_nuclei(rng: np.random.Generator, tissue: Tissue) -> list[Nucleus]:
    """Return spindle nuclei along the fibres and, in crowds, small dark round lymphocytes."""
    height, width = tissue.section.shape
    crowd = smooth_field(rng, (height, width), 34)
    nuclei = []
    step = 13
    for row in range(0, height, step):
        for column in range(0, width, step):
            y, x = row + rng.uniform(0, step), column + rng.uniform(0, step)
            at = _inside(y, height), _inside(x, width)
            chance, kind, size = rng.random(), rng.random(), rng.uniform(0.85, 1.15)
            density, tilt = rng.uniform(0.85, 1.15), rng.normal(0, 0.2)
            if tissue.depth[at] > -5.5 or tissue.section[at] < 0.95 or tissue.open_space[at] > 0.4:
                continue
            if chance < 0.50 * smooth_step(3 * (crowd[at] - 1.0)):
                round_ = Nucleus(y, x, 4.9 * size, 4.5 * size, 3 * kind, 1.15 * density, 0, 0.1)
                nuclei.append(round_)
            elif chance > 0.85:
                slim = (9.5 * size, 2.3) if kind < 0.65 else (7.0 * size, 3.6)
                nuclei.append(Nucleus(y, x, *slim, tissue.angle[at] + tilt, 0.85 * density, int(kind > 0.8), 0.25))
    return nuclei


def _inside(place: float, size: int) -> int:
    return int(np.clip(place, 0, size - 1))


def _window(y: float, x: float, reach: float, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns within `reach` of a place, cut to the canvas."""
    rows = slice(int(max(0, y - reach)), int(min(shape[0], max(0, y + reach + 1))))
    columns = slice(int(max(0, x - reach)), int(min(shape[1], max(0, x + reach + 1))))
    return rows, columns
