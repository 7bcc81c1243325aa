"""Which axis of an array the `dimension` of a layer means."""


def axis_of(module, x, n_input_dims=None):
    """Return the axis of `x` that `module.dimension` means, counted from the front.

    It is 0-based and negative from the end. When `x` has one dimension more than `n_input_dims`, it is
    a batch, and a dimension >= 0 moves on by one. ValueError when there is no such axis.
    """
    axis = module.dimension
    if axis < 0:
        axis += x.ndim  # counted from the end, a batch makes no difference
    elif n_input_dims is not None and x.ndim == n_input_dims + 1:
        axis += 1
    if not 0 <= axis < x.ndim:
        raise ValueError(f"{module.name}: no dimension {module.dimension} in an input of shape {x.shape}")
    return axis


def at(axis, part):
    """Return the index that takes `part` of an axis and all of those before it."""
    return (slice(None),) * axis + (part,)


def halves(x, axis):
    """Return the first and the second half of an axis (negative from the end), as views."""
    axis, half = axis % x.ndim, x.shape[axis] // 2
    return x[at(axis, slice(half))], x[at(axis, slice(half, None))]
