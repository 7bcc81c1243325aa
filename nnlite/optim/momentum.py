"""Gradient descent with classical and with Nesterov momentum."""

from typing import Any

from ..ops import get_ops
from ..typing import Array, Feval, Options
from .step import Step, decay_weights


def sgd(feval: Feval, x: Array, config: Options, state: Options | None = None) -> tuple[Array, list[Any]]:
    """Gradient descent with momentum, Nesterov momentum, weight decay and a learning rate per parameter.

    v ← μ v + (1 - d) g (v = g at the first step),  x ← x - η / (1 + k decay) · v, k the number of earlier
    steps; nesterov uses g + μ v in place of v; learning_rates multiply every entry by its own.
    Options: learning_rate η = 0.001, learning_rate_decay = 0, weight_decay = 0 or weight_decays (an array
    like x), momentum μ = 0, dampening d = momentum (nesterov and textbook momentum need an explicit 0),
    nesterov = False, learning_rates (an array like x). State: eval_counter k, dfdx v.
    Source: optim.sgd.

        >>> from nnlite import optim
        >>> x, fs = optim.sgd(lambda x: (float(x @ x), 2 * x), np.float32([1, -1]), {"learning_rate": 0.25})
        >>> x.tolist(), fs
        ([0.5, -0.5], [2.0])
    """
    options = {
        "learning_rate": 1e-3,
        "learning_rate_decay": 0.0,
        "weight_decay": 0.0,
        "weight_decays": None,
        "momentum": 0.0,
        "dampening": None,
        "nesterov": False,
        "learning_rates": None,
    }
    step = Step("sgd", x, config, state, options, {"eval_counter", "dfdx"})
    o = step.options
    damping = o.momentum if o.dampening is None else o.dampening
    if o.nesterov and (o.momentum <= 0 or damping != 0):
        raise ValueError("optim.sgd: nesterov needs momentum > 0 and an explicit dampening = 0")
    if o.weight_decay and o.weight_decays is not None:
        raise ValueError("optim.sgd: give weight_decay or weight_decays, not both")
    decays = o.weight_decay if o.weight_decays is None else o.weight_decays
    rates = 1.0 if o.learning_rates is None else o.learning_rates

    f, g = step.evaluate(feval)
    kept = 1.0 if step.state.get("dfdx") is None else 1.0 - damping
    v = step.buffer("dfdx") if o.momentum else g
    rate = o.learning_rate / (1 + step.count("eval_counter") * o.learning_rate_decay)

    def update(x_, g_, v_, decay, own_rate):
        decay_weights(x_, g_, decay)
        if o.momentum:
            v_ *= o.momentum
            v_ += kept * g_
        x_ -= rate * own_rate * (g_ + o.momentum * v_ if o.nesterov else v_)

    get_ops(x).by_elements(update, x, g, v, decays, rates)
    return x, [f]


def nag(feval: Feval, x: Array, config: Options, state: Options | None = None) -> tuple[Array, list[Any]]:
    """Nesterov's accelerated gradient: step along the momentum and evaluate the gradient there.

    x ← x + μ v,  g = ∂f/∂x at that point,  v ← μ v - η / (1 + k decay) · g,  x ← x - η / (1 + k decay) · g,
    k the number of earlier steps. fs is f at the moved point.
    Options: learning_rate η = 0.001, learning_rate_decay = 0, weight_decay = 0, momentum μ = 0.9 (must be
    positive), learning_rates (an array like x, as in `sgd`). State: eval_counter k, dfdx v.
    Source: optim.nag; Sutskever, Martens, Dahl & Hinton 2013, eqs. 3-4.
    """
    options = {
        "learning_rate": 1e-3,
        "learning_rate_decay": 0.0,
        "weight_decay": 0.0,
        "momentum": 0.9,
        "learning_rates": None,
    }
    step = Step("nag", x, config, state, options, {"eval_counter", "dfdx"})
    o = step.options
    if o.momentum <= 0:
        raise ValueError(f"optim.nag: momentum must be positive, got {o.momentum}")
    rates = 1.0 if o.learning_rates is None else o.learning_rates

    v = step.buffer("dfdx")

    def move(x_, v_):
        v_ *= o.momentum
        x_ += v_

    get_ops(x).by_elements(move, x, v)
    f, g = step.evaluate(feval)
    rate = o.learning_rate / (1 + step.count("eval_counter") * o.learning_rate_decay)

    def update(x_, g_, v_, own_rate):
        decay_weights(x_, g_, o.weight_decay)
        descent = rate * own_rate * g_
        v_ -= descent
        x_ -= descent

    get_ops(x).by_elements(update, x, g, v, rates)
    return x, [f]
