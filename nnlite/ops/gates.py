"""The gates of eq. 1 and their gradients, in place, for NumPy; `gates_cuda` does each pass in one kernel.

The four pre-activations lie in one array a (..., 4C, B) in the order input, cell, forget, output. The
rows of the three sigmoid gates arrive halved, because σ(z) = (1 + tanh(z/2)) / 2: one tanh serves all
four, and it is ten times faster than an exponential. With a = tanh(...) in place,

    i = (1 + aᵢ)/2,   c̃ = a_c,   f = (1 + a_f)/2,   o = (1 + aₒ)/2,
    cₜ = i ⊙ c̃ + f ⊙ cₜ₋₁,   hₜ = o ⊙ tanh(cₜ).
"""

import numpy as np

#: The factors that scale the rows of the gates input, cell, forget, output before `forward`.
SCALES = (0.5, 1.0, 0.5, 0.5)


def row_scales(n_out, dtype, xp):
    """Return the factors of all 4C rows as one vector."""
    return xp.concatenate([xp.full(n_out, scale, dtype) for scale in SCALES])


def forward(a, c_prev, c, h):
    """Compute c and h (..., C, B) from the scaled pre-activations a, which are overwritten with their tanh.

    c_prev: the cell of the previous step, or None for zero.
    """
    i, g, f, o = split_rows(a)
    np.tanh(a, out=a)
    np.multiply(i, g, out=c)
    c += g
    if c_prev is not None:
        np.multiply(f, c_prev, out=h)
        c += h
        c += c_prev
    c *= 0.5
    tanh_c = np.tanh(c)
    np.multiply(o, tanh_c, out=h)
    h += tanh_c
    h *= 0.5


def backward(a, c_prev, c, dh, dc):
    """Overwrite a, the tanh of the scaled pre-activations, with the gradient with respect to these.

    dh: d loss / d hₜ. dc: the part of d loss / d cₜ that comes from step t + 1, overwritten with that of
    d loss / d cₜ₋₁. With
    δc = dc + dh ⊙ o ⊙ (1 - tanh²cₜ):

        daₒ = ½ dh ⊙ tanh cₜ ⊙ (1 - aₒ²)      da_f = ½ δc ⊙ cₜ₋₁ ⊙ (1 - a_f²)      dcₜ₋₁ = δc ⊙ f
        daᵢ = ½ δc ⊙ c̃ ⊙ (1 - aᵢ²)            da_c = δc ⊙ i ⊙ (1 - c̃²)
    """
    i, g, f, o = split_rows(a)
    tanh_c = np.tanh(c)
    half_dh = 0.5 * dh
    work = np.multiply(tanh_c, tanh_c)
    np.subtract(1.0, work, out=work)
    work *= half_dh
    dc += work
    work *= o
    dc += work

    _times_one_minus_square(o, half_dh, tanh_c, work)
    half_dc = np.multiply(dc, 0.5, out=half_dh)
    np.multiply(f, half_dc, out=dc)
    dc += half_dc
    if c_prev is None:
        f.fill(0)
    else:
        _times_one_minus_square(f, half_dc, c_prev, work)
    np.multiply(g, g, out=work)
    np.subtract(1.0, work, out=work)
    work *= half_dc
    slope = work * i
    slope += work
    _times_one_minus_square(i, half_dc, g, work)
    g[...] = slope


def _times_one_minus_square(a, left, right, work):
    """Set a to left ⊙ right ⊙ (1 - a²), in place."""
    np.multiply(a, a, out=work)
    np.subtract(1.0, work, out=work)
    np.multiply(left, right, out=a)
    a *= work


def split_rows(a):
    """Return the input, cell, forget and output rows of a (..., 4C, B) as views."""
    n = a.shape[-2] // 4
    return a[..., :n, :], a[..., n : 2 * n, :], a[..., 2 * n : 3 * n, :], a[..., 3 * n :, :]
