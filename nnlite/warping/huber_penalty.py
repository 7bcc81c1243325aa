"""The smoothness penalty H on the flow map (eq. 2 and eq. 4)."""

from typing import Any

from ..backend import get_array_module
from ..module import Module
from ..ops.differences import central_difference, central_difference_adjoint
from ..ops.huber import huber, huber_derivative
from ..typing import Number

FORMS = ("paper", "isotropic", "published")


class SmoothHuberPenalty(Module):
    """Pass the flow T on and, in backward, add the gradient of a penalty P(T) on its local differences.

    Shapes: input (C, h, w) or (N, C, h, w), of a flow C = 2, output the same.
    Forward: output = T; value = P(T). With g_y, g_x the central differences of each channel of T (stencil
        [-1/2, 0, 1/2], zero padding, so that a constant flow is penalised at the borders) and H_δ the Huber
        function of eq. 2, `form` selects P:
        "paper"       w Σ H_δ(g_y) + H_δ(g_x), the term w_H H(∇T) of eq. 4
        "isotropic"   w Σ H_δ(√(g_y² + g_x²)) / (number of elements of T): the intention of the published code
        "published"   ½ Σ g_y² + g_x², whatever w and δ, but 0 when w = 0: what the published code computes,
                      because its buffers overwrite each other
        `size_average` divides by the number of elements (of the whole batch); by default only "isotropic"
        does. "published" ignores it, as the original does.
    Backward: grad_input = g + w (Dyᵀ a_y + Dxᵀ a_x), Dᵀ the adjoint of the stencil and
        "paper"       a_y = H'_δ(g_y), a_x = H'_δ(g_x)
        "isotropic"   (a_y, a_x) = (g_y, g_x) · min(1, δ / √(g_y² + g_x²)), divided like P
        "published"   a_y = g_y, a_x = g_x, with 1 in place of w
    Errors: ValueError for an input of another shape, an unknown form, weight < 0 or delta <= 0.
    Source: SmoothHuberPenalty of the published code; Pătrăucean et al. 2015, section 3.2.2.

        >>> penalty = nn.SmoothHuberPenalty(1.0)
        >>> flow = np.zeros((1, 2, 5, 5), np.float32)
        >>> flow[:, :, 2, 2] = 1
        >>> bool((penalty.forward(flow) == flow).all())
        True
        >>> grad = penalty.backward(flow, np.zeros_like(flow))  # draws the neighbours along
        >>> bool(penalty.value > 0), grad[0, 0, 1:4, 1:4].any().item()
        (True, True)
    """

    penalises = True
    state_names = (*Module.state_names, "_value")

    def __init__(
        self,
        weight: Number = 0.01,
        delta: Number = 0.001,
        form: str = "paper",
        size_average: bool | None = None,
    ) -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"{self.name}: form must be one of {', '.join(FORMS)}, got {form!r}")
        if weight < 0 or not delta > 0:
            raise ValueError(
                f"{self.name}: weight must be at least 0 and delta above 0, got {weight} and {delta}"
            )
        self.penalty_weight, self.delta, self.form = weight, delta, form
        self.size_average = form == "isotropic" if size_average is None else size_average
        self._value = None

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4))
        self.output = input.copy()
        self._value = self._scale(input) * self._penalty(*_differences(input))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output, input.shape)
        ay, ax = self._penalty_derivative(*_differences(input))
        penalty_grad = central_difference_adjoint(ay, -2) + central_difference_adjoint(ax, -1)
        self.grad_input = grad_output + self._scale(input) * penalty_grad
        return self.grad_input

    @property
    def value(self) -> Any:
        """P(T) of the last forward pass, a scalar on the module's device (0 before the first)."""
        return 0.0 if self._value is None else self._value

    def _penalty(self, gy, gx):
        """Return Σ of the penalty over all elements, not yet weighted."""
        xp = get_array_module(gy)
        if self.form == "paper":
            return (huber(gy, self.delta) + huber(gx, self.delta)).sum()
        if self.form == "isotropic":
            return huber(xp.sqrt(gy * gy + gx * gx), self.delta).sum()
        return 0.5 * (gy * gy + gx * gx).sum()

    def _penalty_derivative(self, gy, gx):
        """Return the derivatives of `_penalty` with respect to gy and gx."""
        xp = get_array_module(gy)
        if self.form == "paper":
            return huber_derivative(gy, self.delta), huber_derivative(gx, self.delta)
        if self.form == "isotropic":
            # H'_δ(a) / a = min(a, δ) / a, written so that a = 0 needs no care
            shrink = self.delta / xp.maximum(xp.sqrt(gy * gy + gx * gx), self.delta)
            return gy * shrink, gx * shrink
        return gy, gx

    def _scale(self, input):
        """Return the factor in front of the sum in P(T)."""
        if self.form == "published":
            return float(self.penalty_weight != 0)
        return self.penalty_weight / max(input.size, 1) if self.size_average else self.penalty_weight

    def describe(self):
        return f"({self.form}, weight {self.penalty_weight:g}, delta {self.delta:g})"


def _differences(flow):
    """Return (g_y, g_x), the central differences of every channel."""
    return central_difference(flow, -2), central_difference(flow, -1)
