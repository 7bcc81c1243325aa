"""The optimiser updates that are one kernel on a GPU, as elementwise formulas on the CPU."""

import numpy as np

from .threads import by_elements


def adam(x, g, m, v, rate, options):
    """m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²,  x ← x - rate · m / (√v + ε), in place."""
    o = options

    def update(x_, g_, m_, v_):  # in place, and so in the cache
        m_ *= o.beta1
        change = (1 - o.beta1) * g_
        m_ += change
        np.multiply(g_, 1 - o.beta2, out=change)
        change *= g_
        v_ *= o.beta2
        v_ += change
        root = np.sqrt(v_)
        root += o.epsilon
        np.multiply(m_, rate, out=change)
        change /= root
        x_ -= change

    by_elements(update, x, g, m, v)


def nesterov(u, g, m, momentum):
    """m ← μ m + (1 - μ) g,  u ← μ m + (1 - μ) g: u is what m would become after the same gradient again."""

    def update(u_, g_, m_):
        m_ *= momentum
        m_ += (1 - momentum) * g_
        u_[...] = momentum * m_ + (1 - momentum) * g_

    by_elements(update, u, g, m)
