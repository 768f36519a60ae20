"""Tiles deflated by Huffman codes alone are zlib streams that any zlib reads, of any content, and near the entropy."""

from __future__ import annotations

import zlib

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unmix.writers import tile_deflate
from unmix.writers.deflate_kernels import code_lengths, differ
from unmix.writers.tile_deflate import deflated


@pytest.fixture(scope="module", autouse=True)
def never_libdeflate() -> None:
    """Code every content here, also what would go to libdeflate."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tile_deflate, "_REPEATS_BELOW", 0.0)
        yield


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 30).map(lambda n: 2 * n))))
def test_any_bytes_come_back(values: np.ndarray) -> None:
    encoded = deflated(values)
    assert zlib.decompress(encoded) == values.tobytes()
    assert bytes(imagecodecs.deflate_decode(encoded)) == values.tobytes()


@pytest.mark.parametrize("spread", [1.5, 3.0, 40.0, 1000.0])
def test_noise_takes_hardly_more_than_its_entropy(spread: float) -> None:
    noise = np.rint(np.random.default_rng(0).normal(0, spread, (512, 512))).astype(np.int64).astype(np.uint8)
    share = np.bincount(noise.ravel(), minlength=256) / noise.size
    entropy = -np.sum(share[share > 0] * np.log2(share[share > 0])) * noise.size / 8
    encoded = deflated(noise)
    assert zlib.decompress(encoded) == noise.tobytes()
    assert entropy <= len(encoded) < 1.03 * entropy + 400


def test_a_code_is_complete_and_never_longer_than_asked_for() -> None:
    for counts in (np.array([1, 1]), np.array([0, 5, 0, 1, 9]), np.array([int(1.6**k) + 1 for k in range(40)])):
        lengths = code_lengths(counts.astype(np.int64), 15)
        assert np.array_equal(lengths > 0, counts > 0)
        assert lengths.max() <= 15
        assert np.sum(2.0 ** -lengths[lengths > 0]) == 1.0
    assert lengths[0] == lengths.max() == 15
    assert (np.diff(lengths) <= 0).all()


def test_a_tile_at_the_edge_is_taken_out_with_zeros_beyond() -> None:
    values = np.random.default_rng(1).integers(0, 256, (10, 13)).astype(np.uint8)
    differences = np.full((8, 8), 99, np.uint8)
    for top, left in ((0, 0), (8, 8), (8, 0), (0, 8)):
        assert differ(values, top, left, differences)
        whole = np.zeros((8, 8), np.uint8)
        part = values[top : top + 8, left : left + 8]
        whole[: part.shape[0], : part.shape[1]] = part
        assert np.array_equal(np.cumsum(differences, axis=1, dtype=np.uint8), whole)
    assert not differ(np.zeros((10, 13), np.uint8), 0, 0, differences)
    assert not differences.any()


def test_what_repeats_goes_to_libdeflate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_deflate, "_REPEATS_BELOW", 2.0)
    flat = np.zeros((512, 512), np.uint8)
    flat[:, 300] = 7
    encoded = deflated(flat)
    assert zlib.decompress(encoded) == flat.tobytes()
    assert len(encoded) < 4000
