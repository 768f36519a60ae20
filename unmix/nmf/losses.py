"""What a factorisation is judged by: the beta-divergence of the data from the model, summed over all values.

    d(x | y) = (x^beta + (beta - 1) y^beta - beta x y^(beta - 1)) / (beta (beta - 1))

beta = 2 is half the squared error (Gaussian noise), beta = 1 the generalised Kullback-Leibler divergence
x ln(x / y) - x + y (Poisson counts), beta = 0 Itakura-Saito x / y - ln(x / y) - 1 (noise in proportion to the signal).
Fevotte and Idier 2011, Neural Computation 23(9), 2421-2456. Below 2 data must not be negative; at 0 not zero either.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass

import numpy as np

from ..errors import DataError, OptionError

LOSSES = {"frobenius": 2.0, "kullback_leibler": 1.0, "itakura_saito": 0.0}
_FLOOR = 1e-15
_STRIP = 1024


@dataclass(frozen=True)
class BetaDivergence:
    """The beta-divergence, 0 <= beta <= 2, as a loss."""

    beta: float

    @property
    def name(self) -> str:
        """The name of the loss, or its beta."""
        return next((name for name, beta in LOSSES.items() if beta == self.beta), f"beta={self.beta:g}")

    def value(self, X: np.ndarray, model: np.ndarray) -> float:
        """Return the divergence of X from a model of the same shape, positive where beta is below 2."""
        beta = self.beta
        if beta == 2:
            difference = (X - model).ravel()
            return 0.5 * float(np.dot(difference, difference))
        if beta == 1:
            logs = np.log(X / model, out=np.zeros_like(model), where=X > 0)
            return float(np.sum(X * logs - X + model, dtype=np.float64))
        if beta == 0:
            ratio = X / model
            return float(np.sum(ratio - np.log(ratio) - 1, dtype=np.float64))
        total = X**beta + (beta - 1) * model**beta - beta * X * model ** (beta - 1)
        return float(np.sum(total, dtype=np.float64)) / (beta * (beta - 1))

    def of_product(self, X: np.ndarray, A: np.ndarray, E: np.ndarray) -> float:
        """Return the divergence of X (n, b) from A E, strip by strip; a model of zero counts as the smallest amount."""
        floor = _FLOOR * (float(X.mean(dtype=np.float64)) or 1.0) if self.beta < 2 else -np.inf
        strips = (slice(i, i + _STRIP) for i in range(0, len(X), _STRIP))
        return sum(self.value(X[s].astype(np.float64), np.maximum(A[s].astype(np.float64) @ E, floor)) for s in strips)

    def require(self, X: np.ndarray) -> None:
        """Refuse data that this loss does not measure."""
        least = float(X.min())
        if self.beta < 2 and least < 0:
            raise DataError(
                f"X goes down to {least:g}; loss={self.name!r} needs values >= 0. Clip them, or use 'frobenius'."
            )
        if self.beta == 0 and least == 0:
            raise DataError("X has zeros, which loss='itakura_saito' cannot measure. Use 'kullback_leibler'.")


def as_loss(loss: str | float | BetaDivergence) -> BetaDivergence:
    """Return the loss that a name or a beta stands for."""
    if isinstance(loss, BetaDivergence):
        loss = loss.beta
    if isinstance(loss, str) and loss in LOSSES:
        return BetaDivergence(LOSSES[loss])
    if isinstance(loss, numbers.Real) and not isinstance(loss, bool) and 0 <= loss <= 2:
        return BetaDivergence(float(loss))
    raise OptionError(f"loss={loss!r} is not known. Use one of {', '.join(LOSSES)}, or a beta from 0 to 2.")
