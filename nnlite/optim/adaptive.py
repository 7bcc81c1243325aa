"""Optimisers with a step size of its own for every parameter."""

import math
from typing import Any

from ..ops import get_ops
from ..typing import Array, Feval, Options
from .step import Step, decay_weights


def rmsprop(feval: Feval, x: Array, config: Options, state: Options | None = None) -> tuple[Array, list[Any]]:
    """Divide the gradient by its moving root mean square.

    m ← α m + (1 - α) g²,  x ← x - η g / (√m + ε).
    Options: learning_rate η = 0.01, alpha = 0.99, epsilon = 1e-8, initial_mean = 0 (m before the first
    step; 1 in the optim of mid-2016), weight_decay = 0. State: m.
    Source: optim.rmsprop; Tieleman & Hinton 2012, lecture 6.5.

        >>> from nnlite import optim
        >>> x, config = np.float32([1, -1]), {"learning_rate": 0.1}
        >>> for _ in range(100):
        ...     x, (f,) = optim.rmsprop(lambda x: (float(x @ x), 2 * x), x, config)
        >>> bool(abs(x).max() < 0.2), sorted(config)
        (True, ['learning_rate', 'm'])
    """
    options = {
        "learning_rate": 1e-2,
        "alpha": 0.99,
        "epsilon": 1e-8,
        "initial_mean": 0.0,
        "weight_decay": 0.0,
    }
    step = Step("rmsprop", x, config, state, options, {"m"})
    o, xp = step.options, step.xp
    f, g = step.evaluate(feval)
    m = step.buffer("m", o.initial_mean)

    def update(x_, g_, m_):  # in place, and so in the cache
        decay_weights(x_, g_, o.weight_decay)
        change = (1 - o.alpha) * g_
        change *= g_
        m_ *= o.alpha
        m_ += change
        root = xp.sqrt(m_)
        root += o.epsilon
        xp.multiply(g_, o.learning_rate, out=change)
        change /= root
        x_ -= change

    get_ops(x).by_elements(update, x, g, m)
    return x, [f]


def adam(feval: Feval, x: Array, config: Options, state: Options | None = None) -> tuple[Array, list[Any]]:
    """Divide the bias-corrected moving mean of the gradient by the root of that of its square.

    t ← t + 1,  m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²,
    x ← x - η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε).
    Options: learning_rate η = 0.001, learning_rate_decay = 0 (η / (1 + (t - 1) decay)), beta1 = 0.9,
    beta2 = 0.999, epsilon = 1e-8 (added before the bias of √v is corrected), weight_decay = 0.
    State: t, m, v.
    Source: optim.adam; Kingma & Ba 2015, Algorithm 1 in the faster order at the end of its section 2.
    """
    options = {
        "learning_rate": 1e-3,
        "learning_rate_decay": 0.0,
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-8,
        "weight_decay": 0.0,
    }
    step = Step("adam", x, config, state, options, {"t", "m", "v"})
    o = step.options
    f, g = step.evaluate(feval)
    m, v = step.buffer("m"), step.buffer("v")
    earlier = step.count("t")
    rate = o.learning_rate / (1 + earlier * o.learning_rate_decay)
    decay_weights(x, g, o.weight_decay)
    adam_step(x, g, m, v, earlier, rate, o)
    return x, [f]


def adam_step(x, g, m, v, earlier, rate, options):
    """Take the step of `adam` with learning rate `rate` and gradient g, after `earlier` other steps."""
    o = options
    rate *= math.sqrt(1 - o.beta2 ** (earlier + 1)) / (1 - o.beta1 ** (earlier + 1))
    get_ops(x).adam_update(x, g, m, v, rate, o)


def adamax(feval: Feval, x: Array, config: Options, state: Options | None = None) -> tuple[Array, list[Any]]:
    """Adam with a decaying maximum of |g| in place of the root mean square.

    t ← t + 1,  m ← β₁ m + (1 - β₁) g,  u ← max(β₂ u, |g| + ε),  x ← x - η / (1 - β₁ᵗ) · m / u.
    Options: learning_rate η = 0.002, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-38. State: t, m, u.
    Source: optim.adamax; Kingma & Ba 2015, Algorithm 2.
    """
    options = {"learning_rate": 2e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-38}
    step = Step("adamax", x, config, state, options, {"t", "m", "u"})
    o, maximum = step.options, step.xp.maximum
    f, g = step.evaluate(feval)
    m, u = step.buffer("m"), step.buffer("u")
    rate = o.learning_rate / (1 - o.beta1 ** (step.count("t") + 1))

    def update(x_, g_, m_, u_):
        m_ *= o.beta1
        m_ += (1 - o.beta1) * g_
        u_ *= o.beta2
        maximum(u_, abs(g_) + o.epsilon, out=u_)
        x_ -= rate * m_ / u_

    get_ops(x).by_elements(update, x, g, m, u)
    return x, [f]


def adagrad(feval: Feval, x: Array, config: Options, state: Options | None = None) -> tuple[Array, list[Any]]:
    """Divide the gradient by the root of the sum of all its squares so far.

    v ← v + g²,  x ← x - η / (1 + k decay) · g / (√v + 1e-10), k the number of earlier steps.
    Options: learning_rate η = 0.001, learning_rate_decay = 0, weight_decay = 0.
    State: eval_counter k, param_variance v.
    Source: optim.adagrad; Duchi, Hazan & Singer 2011.
    """
    options = {"learning_rate": 1e-3, "learning_rate_decay": 0.0, "weight_decay": 0.0}
    step = Step("adagrad", x, config, state, options, {"eval_counter", "param_variance"})
    o, sqrt = step.options, step.xp.sqrt
    f, g = step.evaluate(feval)
    v = step.buffer("param_variance")
    rate = o.learning_rate / (1 + step.count("eval_counter") * o.learning_rate_decay)

    def update(x_, g_, v_):
        decay_weights(x_, g_, o.weight_decay)
        v_ += g_ * g_
        x_ -= rate * g_ / (sqrt(v_) + 1e-10)

    get_ops(x).by_elements(update, x, g, v)
    return x, [f]


def adadelta(
    feval: Feval, x: Array, config: Options, state: Options | None = None
) -> tuple[Array, list[Any]]:
    """Scale the gradient by the moving root mean square of past steps over that of past gradients.

    v ← ρ v + (1 - ρ) g²,  Δ = √(d + ε) / √(v + ε) · g,  x ← x - Δ,  d ← ρ d + (1 - ρ) Δ².
    Options: rho = 0.9, eps = 1e-6, weight_decay = 0.
    State: eval_counter (the number of steps), param_variance v, acc_delta d.
    Source: optim.adadelta; Zeiler 2012, Algorithm 1.
    """
    options = {"rho": 0.9, "eps": 1e-6, "weight_decay": 0.0}
    step = Step("adadelta", x, config, state, options, {"eval_counter", "param_variance", "acc_delta"})
    o, sqrt = step.options, step.xp.sqrt
    f, g = step.evaluate(feval)
    v, d = step.buffer("param_variance"), step.buffer("acc_delta")
    step.count("eval_counter")

    def update(x_, g_, v_, d_):
        decay_weights(x_, g_, o.weight_decay)
        v_ *= o.rho
        v_ += (1 - o.rho) * g_ * g_
        delta = sqrt((d_ + o.eps) / (v_ + o.eps)) * g_
        x_ -= delta
        d_ *= o.rho
        d_ += (1 - o.rho) * delta * delta

    get_ops(x).by_elements(update, x, g, v, d)
    return x, [f]
