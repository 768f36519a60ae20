"""Random fields are as smooth as asked, and every purpose has its own stream."""

from __future__ import annotations

import numpy as np
import pytest

from unmix.synthetic.fields import fibres, random_stream, smooth_field, smooth_step


@pytest.mark.parametrize("scale", [1.0, 3.0, 12.0, 40.0])
@pytest.mark.parametrize("shape", [(150, 170), (31, 90)])
def test_smooth_field_is_standardised_and_smooth_over_its_scale(scale: float, shape: tuple[int, int]) -> None:
    field = smooth_field(random_stream(1, "test"), shape, scale)
    assert field.shape == shape
    assert field.mean() == pytest.approx(0, abs=1e-9)
    assert field.std() == pytest.approx(1)
    if shape[0] > 6 * scale:
        neighbours = np.diff(field, axis=1).std()
        assert neighbours == pytest.approx(1 / (np.sqrt(2) * scale), rel=0.35)


def test_streams_differ_by_seed_and_by_purpose() -> None:
    draws = [random_stream(seed, purpose).random() for seed in (0, 1) for purpose in ("noise", "scene")]
    assert len(set(draws)) == 4
    assert random_stream(1, "noise").random() == draws[2]


def test_fibres_run_along_their_direction() -> None:
    for angle, along, across in ((0.0, 1, 0), (np.pi / 2, 0, 1), (np.pi, 1, 0)):
        noise = fibres(random_stream(2, "test"), np.full((120, 120), angle), thickness=1.0, length=20)
        changes = [np.diff(noise, axis=axis)[20:-20, 20:-20].std() for axis in (0, 1)]
        assert changes[along] < 0.4 * changes[across]


def test_smooth_step_is_bounded_and_symmetric() -> None:
    values = np.array([-1e6, -2.0, 0.0, 2.0, 1e6])
    step = smooth_step(values)
    assert step[2] == 0.5
    assert ((step >= 0) & (step <= 1)).all()
    np.testing.assert_allclose(step + step[::-1], 1)
