"""The gates of eq. 1 and their derivatives, in place and in one pass over memory.

The four pre-activations lie in one array a (..., 4C, B) in the order input, cell, forget, output. The
rows of the three sigmoid gates arrive halved, because σ(z) = (1 + tanh(z/2)) / 2: one tanh serves all
four, and it is ten times faster than an exponential. With a = tanh(...) in place,

    i = (1 + aᵢ)/2,   c̃ = a_c,   f = (1 + a_f)/2,   o = (1 + aₒ)/2,
    cₜ = i ⊙ c̃ + f ⊙ cₜ₋₁,   hₜ = o ⊙ tanh(cₜ).
"""

import numpy as np

#: What the rows of the gates input, cell, forget, output are multiplied by before `forward`.
SCALES = (0.5, 1.0, 0.5, 0.5)


def row_scales(n_out, dtype, xp):
    """Return the factors of all 4C rows as one vector."""
    return xp.asarray(np.repeat(SCALES, n_out).astype(dtype))


def forward(a, c_prev, c, h, xp):
    """Compute c and h (..., C, B) from the scaled pre-activations a, which become their tanh.

    c_prev: the cell of the step before, or None for zero.
    """
    xp.tanh(a, out=a)
    i, g, f, o = _blocks(a)
    xp.multiply(i, g, out=c)
    c += g
    if c_prev is not None:
        xp.multiply(f, c_prev, out=h)
        c += h
        c += c_prev
    c *= 0.5
    tanh_c = xp.tanh(c)
    xp.multiply(o, tanh_c, out=h)
    h += tanh_c
    h *= 0.5


def backward(a, c_prev, c, dh, dc, xp):
    """Turn a (the tanh of the scaled pre-activations) into the derivative by those pre-activations.

    dh: d loss / d hₜ. dc: d loss / d cₜ that comes from step t + 1; becomes d loss / d cₜ₋₁. With
    δc = dc + dh ⊙ o ⊙ (1 - tanh²cₜ):

        daₒ = ½ dh ⊙ tanh cₜ ⊙ (1 - aₒ²)      da_f = ½ δc ⊙ cₜ₋₁ ⊙ (1 - a_f²)      dcₜ₋₁ = δc ⊙ f
        daᵢ = ½ δc ⊙ c̃ ⊙ (1 - aᵢ²)            da_c = δc ⊙ i ⊙ (1 - c̃²)
    """
    tanh_c = xp.tanh(c)
    i, g, f, o = _blocks(a)
    half_dh = 0.5 * dh
    work = xp.multiply(tanh_c, tanh_c)
    xp.subtract(1.0, work, out=work)
    work *= half_dh
    dc += work
    work *= o
    dc += work

    _times_one_minus_square(o, half_dh, tanh_c, work, xp)
    half_dc = xp.multiply(dc, 0.5, out=half_dh)
    xp.multiply(f, half_dc, out=dc)
    dc += half_dc
    if c_prev is None:
        f.fill(0)
    else:
        _times_one_minus_square(f, half_dc, c_prev, work, xp)
    xp.multiply(g, g, out=work)
    xp.subtract(1.0, work, out=work)
    work *= half_dc
    slope = work * i
    slope += work
    _times_one_minus_square(i, half_dc, g, work, xp)
    g[...] = slope


def _times_one_minus_square(a, left, right, work, xp):
    """Set a to left ⊙ right ⊙ (1 - a²), in place."""
    xp.multiply(a, a, out=work)
    xp.subtract(1.0, work, out=work)
    xp.multiply(left, right, out=a)
    a *= work


def _blocks(a):
    """Return the input, cell, forget and output rows of a (..., 4C, B) as views."""
    n = a.shape[-2] // 4
    return a[..., :n, :], a[..., n : 2 * n, :], a[..., 2 * n : 3 * n, :], a[..., 3 * n :, :]
