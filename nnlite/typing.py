"""Names for type hints: what modules, criteria and optimisers are given and return.

A CuPy array is an `Array` too, as far as a type checker can tell: CuPy comes without types.
"""

import os
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
#: An array or a Torch table of arrays, which is a list or tuple of them or of tables.
Value: TypeAlias = Array | list[Any] | tuple[Any, ...]
#: A number; in a class that has a method `float`, as Module does, that name is taken.
Number: TypeAlias = float
#: Given the parameters, returns loss and gradient.
Feval: TypeAlias = Callable[[Array], tuple[Any, Array]]
#: Does one module of a graph: given it, its input and its grad_output, returns its grad_input.
Backprop: TypeAlias = Callable[[Any, Any, Any], Any]
#: Options or state of an optimiser.
Options: TypeAlias = dict[str, Any]
File: TypeAlias = str | os.PathLike[str]
