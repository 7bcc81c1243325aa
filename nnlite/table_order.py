"""Modules that put the entries of a table in another order."""

from .module import Module


class ReverseTable(Module):
    """The entries of a table in reverse order.

    Shapes: input a table, output a table of as many entries.
    Forward: outputₖ = x_(K-1-k).
    Backward: grad_inputₖ = g_(K-1-k).
    Errors: TypeError when the input is no table, ValueError for a grad_output of another length.
    Source: nn.ReverseTable (dpnn).

        >>> [x.tolist() for x in nn.ReverseTable().forward([np.float32([1]), np.float32([2])])]
        [[2.0], [1.0]]
    """

    def update_output(self, input):
        self.check_table(input)
        self.output = list(input[::-1])
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_table(grad_output, "grad_output", size=len(input))
        self.grad_input = list(grad_output[::-1])
        return self.grad_input


class ZipTable(Module):
    """A table of tables turned inside out.

    Shapes: input a table of K tables of T entries, output a table of T tables of K entries.
    Forward: output_t,k = x_k,t.
    Backward: grad_input_k,t = g_t,k.
    Errors: TypeError when the input is no table of tables, ValueError when these differ in length.
    Source: nn.ZipTable (dpnn).
    """

    def update_output(self, input):
        self.output = self._turned(input, "input")
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_table(grad_output, "grad_output", size=len(input[0]))
        self.grad_input = self._turned(grad_output, "grad_output")
        return self.grad_input

    def _turned(self, table, what):
        self.check_table(table, what)
        for i, row in enumerate(table):
            self.check_table(row, f"{what}[{i}]", size=len(table[0]) if i else None)
        return [list(column) for column in zip(*table, strict=True)]
