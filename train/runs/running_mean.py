"""The mean of a run's parameters over its last steps: what is scored while training goes on without it."""

from contextlib import contextmanager


class RunningMean:
    """The mean m of parameters p, one flat array, over about the last N steps.

        m_s = m_{s-1} + (p_s - m_{s-1}) / min(s, N)

    Over the first N steps it is the mean of all of them; from then on older ones count less and less. At a
    constant learning rate the parameters keep moving about a valley by the noise of their gradients, and the
    mean lies nearer to its middle (Polyak and Juditsky 1992; Izmailov et al. 2018, arXiv:1803.05407).
    """

    def __init__(self, parameters, steps):
        self.parameters, self.steps = parameters, steps
        self.values = parameters.copy()

    def update(self, step):
        """Take in the parameters after so many steps."""
        self.values += (self.parameters - self.values) / min(step, self.steps)

    def restore(self, own):
        """Continue from a checkpoint, whose mean the model has as its parameters; own: those themselves."""
        self.values[...] = self.parameters
        self.parameters[...] = own

    @contextmanager
    def in_place(self):
        """Return a context in which the model has the mean as its parameters; its value is their own."""
        own = self.parameters.copy()
        self.parameters[...] = self.values
        try:
            yield own
        finally:
            self.parameters[...] = own
