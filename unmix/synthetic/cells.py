"""Cultured cells as a drawing: where the compartments lie that fluorescent dyes stain.

Sizes are in pixels of a quarter of a micrometre: a nucleus is some 40 to 50 pixels long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fields import fibres, random_stream, smooth_field, smooth_step

COMPARTMENTS = ("nucleus", "membrane", "mitochondria", "golgi", "lysosomes", "actin")

_CELL_SPACING = 78.0


@dataclass(frozen=True)
class Cell:
    """Centre, nucleus half axes and direction of one cell."""

    y: float
    x: float
    long: float
    short: float
    angle: float


@dataclass(frozen=True)
class Dish:
    """A field of cells.

    Parameters
    ----------
    cells : list of Cell
        The cells.
    owner : ndarray of int, shape (y, x)
        Number of the nearest cell.
    border : ndarray, shape (y, x)
        Distance to the border with the next cell or with bare glass, pixels; negative on bare glass.
    nucleus : ndarray, shape (y, x)
        1 inside nuclei.
    centre_distance : ndarray, shape (y, x)
        Distance to the rim of the cell's own nucleus, pixels; negative inside.
    """

    cells: list[Cell]
    owner: np.ndarray
    border: np.ndarray
    nucleus: np.ndarray
    centre_distance: np.ndarray


def draw_compartments(seed: int, shape: tuple[int, int], names: tuple[str, ...]) -> np.ndarray:
    """Return how much dye each compartment holds, shape (len(names), y, x), largest about 1."""
    dish = _seed_cells(seed, shape)
    brightness = _cell_brightness(seed, dish)
    drawn = []
    for name in names:
        compartment = _DRAWERS[name](random_stream(seed, name), dish)
        level = np.percentile(compartment, 99.7)
        drawn.append(compartment / max(level, 1e-6) * brightness)
    return np.clip(np.stack(drawn), 0, None)


def _seed_cells(seed: int, shape: tuple[int, int]) -> Dish:
    """Spread cells over the dish at about equal distances and measure where each pixel lies in its cell."""
    from scipy.spatial import KDTree

    rng = random_stream(seed, "cells")
    height, width = shape
    cells: list[Cell] = []
    taken = np.empty((0, 2))
    for _ in range(int(60 * max(4.0, height * width / _CELL_SPACING**2))):
        y, x = rng.uniform(-20, height + 20), rng.uniform(-20, width + 20)
        axes = rng.uniform(20, 25), rng.uniform(14, 18)
        angle = rng.uniform(0, np.pi)
        if (np.hypot(*(taken - (y, x)).T) > 0.8 * _CELL_SPACING).all():
            cells.append(Cell(y, x, *axes, angle))
            taken = np.vstack([taken, (y, x)])
    wobble = [6.0 * smooth_field(rng, shape, 16) + 1.5 * smooth_field(rng, shape, 5) for _ in range(2)]
    row, column = np.indices(shape)
    places = np.stack([row + wobble[0], column + wobble[1]], axis=-1)
    nearest, owner = KDTree([(c.y, c.x) for c in cells]).query(places, k=[1, 2])
    owner = owner[:, :, 0]
    reach = 50 + 5 * smooth_field(rng, shape, 30)
    border = np.minimum(0.5 * (nearest[:, :, 1] - nearest[:, :, 0]), reach - nearest[:, :, 0])
    rim = _distance_to_rim(cells, owner, row + 0.3 * wobble[0], column + 0.3 * wobble[1])
    return Dish(cells, owner, border, smooth_step(-rim / 0.8), rim)


def _distance_to_rim(cells: list[Cell], owner: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return about how far outside its own cell's nucleus a place lies; negative inside."""
    table = np.array([(c.y, c.x, c.long, c.short, c.angle) for c in cells])
    centre_y, centre_x, long, short, angle = np.moveaxis(table[owner], -1, 0)
    u = (x - centre_x) * np.cos(angle) + (y - centre_y) * np.sin(angle)
    v = (y - centre_y) * np.cos(angle) - (x - centre_x) * np.sin(angle)
    return (np.hypot(u / long, v / short) - 1) * short


def _cell_brightness(seed: int, dish: Dish) -> np.ndarray:
    """Return a factor (y, x) by which cells took up more or less dye."""
    rng = random_stream(seed, "uptake")
    factors = rng.uniform(0.65, 1.0, len(dish.cells))
    return factors[dish.owner]


def _cytoplasm(dish: Dish) -> np.ndarray:
    return smooth_step((dish.border - 2.0) / 1.0) * (1 - dish.nucleus)


def _nucleus(rng: np.random.Generator, dish: Dish) -> np.ndarray:
    """Return nuclei with brighter spots of condensed chromatin and dark nucleoli."""
    shape = dish.border.shape
    texture = 0.72 + 0.10 * smooth_field(rng, shape, 5) + 0.08 * smooth_field(rng, shape, 1.8)
    nucleoli = 0.5 * smooth_step(8 * (smooth_field(rng, shape, 3.5) - 1.7))
    rim = 0.15 * np.exp(-0.5 * ((dish.centre_distance + 2) / 1.5) ** 2)
    return dish.nucleus * np.clip(texture + rim - nucleoli, 0.1, None)


def _membrane(rng: np.random.Generator, dish: Dish) -> np.ndarray:
    """Return the outline of the cells, folded here and there, over a faint haze of the sheet above and below."""
    shape = dish.border.shape
    ruffles = 1 + 0.30 * smooth_field(rng, shape, 7) + 0.15 * smooth_field(rng, shape, 2)
    line = np.exp(-0.5 * ((dish.border - 1.6) / 1.5) ** 2) * np.clip(ruffles, 0.3, None)
    points = smooth_step(7 * (smooth_field(rng, shape, 1.5) - 2.1)) * smooth_step(dish.border)
    haze = 0.09 * smooth_step(dish.border / 1.5) * (1 + 0.3 * smooth_field(rng, shape, 9))
    return line + 0.35 * points + haze


def _mitochondria(rng: np.random.Generator, dish: Dish) -> np.ndarray:
    """Return winding threads, densest around the nucleus: pieces of the zero lines of a smooth field."""
    shape = dish.border.shape
    waves = smooth_field(rng, shape, 3.0)
    slope = np.hypot(*np.gradient(waves))
    thread = np.exp(-0.5 * (waves / np.maximum(slope, 0.05) / 0.95) ** 2)
    pieces = smooth_step(5 * (smooth_field(rng, shape, 5) + 0.35))
    near = np.exp(-0.5 * (np.clip(dish.centre_distance - 5, 0, None) / 15) ** 2)
    return thread * pieces * near * _cytoplasm(dish) * smooth_step(dish.centre_distance - 1.5)


def _golgi(rng: np.random.Generator, dish: Dish) -> np.ndarray:
    """Return a twisted ribbon that lies like a cap on one side of every nucleus."""
    shape = dish.border.shape
    y, x = np.indices(shape)
    table = np.array([(cell.y, cell.x, rng.uniform(0, 2 * np.pi)) for cell in dish.cells])
    centre_y, centre_x, side = np.moveaxis(table[dish.owner], -1, 0)
    cap = smooth_step(9 * (np.cos(np.arctan2(y - centre_y, x - centre_x) - side) - 0.62))
    waves = smooth_field(rng, shape, 2.2)
    ribbon = np.exp(-0.5 * (waves / np.maximum(np.hypot(*np.gradient(waves)), 0.07) / 1.25) ** 2)
    band = np.exp(-0.5 * ((dish.centre_distance - 6.5) / 3.6) ** 2)
    return (ribbon + 0.15) * band * cap * _cytoplasm(dish)


def _lysosomes(rng: np.random.Generator, dish: Dish) -> np.ndarray:
    """Return round spots of one to three pixels scattered in the cytoplasm."""
    shape = dish.border.shape
    room = _cytoplasm(dish) * smooth_step(dish.centre_distance - 2)
    spots = np.zeros(shape)
    for _ in range(int(0.016 * shape[0] * shape[1])):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        size, level, chance = rng.uniform(0.8, 1.8), rng.uniform(0.4, 1.0), rng.random()
        if chance > 0.55 * room[int(y), int(x)]:
            continue
        rows = slice(max(0, int(y) - 7), int(y) + 8)
        columns = slice(max(0, int(x) - 7), int(x) + 8)
        dy, dx = np.ogrid[rows.start : min(rows.stop, shape[0]), columns.start : min(columns.stop, shape[1])]
        spot = level * np.exp(-0.5 * (np.hypot(dy - y, dx - x) / size) ** 2)
        np.maximum(spots[rows, columns], spot, out=spots[rows, columns])
    return spots * smooth_step(dish.border)


def _actin(rng: np.random.Generator, dish: Dish) -> np.ndarray:
    """Return stress fibres that run straight through each cell, and a cortex."""
    shape = dish.border.shape
    angle = rng.uniform(0, np.pi, len(dish.cells))[dish.owner] + 0.15 * smooth_field(rng, shape, 25)
    bundles = fibres(rng, angle, thickness=0.8, length=30)
    inside = smooth_step((dish.border - 1) / 1.0)
    cortex = 0.6 * np.exp(-0.5 * ((dish.border - 3) / 1.6) ** 2)
    return inside * (0.9 * smooth_step(2.5 * (bundles - 0.9)) + 0.06) + cortex


_DRAWERS = {
    "nucleus": _nucleus,
    "membrane": _membrane,
    "mitochondria": _mitochondria,
    "golgi": _golgi,
    "lysosomes": _lysosomes,
    "actin": _actin,
}
