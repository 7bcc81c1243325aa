"""Muon, which updates every weight matrix as a matrix: no direction in it gets a longer step than another."""

import math
from typing import Any

import numpy as np

from ..ops import get_ops
from ..typing import Array, Feval, Options
from .adaptive import adam_step
from .step import Step

#: a, b, c of p(σ) = a σ + b σ³ + c σ⁵, which applied five times maps [0.003, 1] into [0.68, 1.20].
QUINTIC = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def muon(feval: Feval, x: Array, config: Options, state: Options | None = None) -> tuple[Array, list[Any]]:
    """Step along the Nesterov momentum of every matrix, its singular values brought near 1.

    For a parameter W of two axes or more, read as a matrix of r rows (its first axis) and c columns:
        M ← μ M + (1 - μ) G,  U = μ M + (1 - μ) G,  W ← W - η s √max(r, c) · orthogonalise(U).
    The entries of such a step have a root mean square of about η s whatever the shape, which for s = 0.2 is
    about that of an Adam step. All other parameters, and matrices of one row or column, whose only singular
    value says nothing about directions, take the step of `adam` with the same η.
    Options: shapes (required), the shapes of the parameters that x holds one after the other
    (`nnlite.parameters.shapes`); learning_rate η = 0.001, momentum μ = 0.95, scale s = 0.2, and
    Adam's beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8. State: t, m, v, the last unused for matrices.
    Errors: ValueError if the shapes do not make up x.
    Source: Jordan et al. 2024, "Muon"; Liu et al. 2025, arXiv:2502.16982, for s and the shared η. Torch7 has
    nothing like it; steps recorded from PyTorch are in `tests/pytorch/muon.h5`.

        >>> from nnlite import optim
        >>> x, config = np.ones(6, np.float32), {"learning_rate": 0.1, "shapes": [(2, 3)]}
        >>> x, fs = optim.muon(lambda x: (float(x @ x), 2 * x), x, config)
        >>> x.shape, fs
        ((6,), [6.0])
    """
    options = {
        "shapes": (),
        "learning_rate": 1e-3,
        "momentum": 0.95,
        "scale": 0.2,
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-8,
    }
    step = Step("muon", x, config, state, options, {"t", "m", "v"})
    o = step.options
    f, g = step.evaluate(feval)
    m, v = step.buffer("m"), step.buffer("v")
    earlier = step.count("t")
    start, places, updates = 0, [], []
    for shape in o.shapes:
        place = slice(start, start + math.prod(shape))
        start = place.stop
        rows, columns = (shape[0], math.prod(shape[1:])) if len(shape) > 1 else (1, math.prod(shape))
        if min(rows, columns) == 1:
            adam_step(x[place], g[place], m[place], v[place], earlier, o.learning_rate, o)
            continue
        update = step.xp.empty((rows, columns), x.dtype)
        get_ops(x).nesterov_update(update.reshape(-1), g[place], m[place], o.momentum)
        places.append(place)
        updates.append(update)
    for place, direction in zip(places, orthogonalise_all(updates)):
        length = o.learning_rate * o.scale * math.sqrt(max(direction.shape))
        x[place] -= length * direction.reshape(-1)
    return x, [f]


def orthogonalise(matrix: Array) -> Array:
    """Return approximately U Vᵀ for a matrix U Σ Vᵀ: the same directions, all singular values brought near 1.

    X₀ = matrix / ‖matrix‖ (Frobenius), so that no singular value exceeds 1; then five times
        X ← P X,  P = a I + b A + c A²,  A = X Xᵀ,
    which maps every σ to p(σ) and leaves U and V unchanged. Values from 0.003 of the norm on end up between
    0.68 and 1.20, smaller ones below; a matrix of zeros stays zero. Shapes: (r, c) to (r, c).
    Source: Jordan et al. 2024; Bernstein & Newhouse 2024, arXiv:2409.20325, for Newton-Schulz in place of the
    decomposition.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalise(matrix.T).T
    ops, x = get_ops(matrix), _normalised(matrix)
    return ops.parallel_matmul(_all_rounds(ops.parallel_matmul(x, x.T)), x)


def orthogonalise_all(matrices):
    """Return `orthogonalise` of each of several matrices.

    On a GPU, where one small product takes as long as many, those of up to `stacked_rows` rows go through the
    rounds together: the first A of each is embedded in a larger matrix that is zero elsewhere, as are all its
    powers.
    """
    small = [x for x in matrices if _is_small(x)]
    if len(small) < 2:
        return [orthogonalise(x) for x in matrices]
    ops, n = get_ops(small[0]), max(min(x.shape) for x in small)
    wide = [_normalised(x if len(x) <= x.shape[1] else x.T) for x in small]
    grams = ops.xp.zeros((len(wide), n, n), wide[0].dtype)
    for gram, x in zip(grams, wide):
        gram[: len(x), : len(x)] = ops.matmul(x, x.T)
    together = [ops.matmul(p[: len(x), : len(x)], x) for p, x in zip(_all_rounds(grams), wide)]
    directions = iter(y if y.shape == x.shape else y.T for x, y in zip(small, together))
    return [next(directions) if _is_small(x) else orthogonalise(x) for x in matrices]


def _is_small(matrix):
    """Return whether a matrix is worth stacking with others on its device."""
    return min(matrix.shape) <= get_ops(matrix).stacked_rows


def _normalised(matrix):
    """Return matrix / ‖matrix‖ (Frobenius), computed so that squares neither overflow nor vanish."""
    xp = get_ops(matrix).xp
    x = matrix / xp.maximum(abs(matrix).max(), np.finfo(matrix.dtype).tiny)
    x /= xp.maximum(xp.sqrt((x * x).sum()), 1)
    return x


def _all_rounds(gram):
    """Return the product of the P of all rounds, from the first A (r, r), or from several (n, r, r).

    P and A are polynomials in the first A and commute, so the rounds reduce to A ← P A P and Q ← P Q.
    """
    ops, (a, b, c), q = get_ops(gram), QUINTIC, None
    a_identity = a * ops.xp.eye(gram.shape[-1], dtype=gram.dtype)
    for number in range(ROUNDS):
        p, squared = b * gram, ops.parallel_matmul(gram, gram)
        p += a_identity
        squared *= c
        p += squared
        q = p if q is None else ops.parallel_matmul(p, q)
        if number < ROUNDS - 1:
            gram = ops.parallel_matmul(ops.parallel_matmul(p, gram), p)
    return q
