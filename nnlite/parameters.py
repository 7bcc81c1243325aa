"""Operations on all parameter arrays of a module: flattening, shapes, conversion.

Two parameters are the same when they are the same memory, and all functions keep them the same.
"""

from . import backend


def flatten(module):
    """Move all parameters below `module` into one array and all gradients into another; return the two.

    Each parameter becomes a view of its place, a shared one takes one place. See `Module.get_parameters`.
    """
    owners = _owned(module)
    _check_flattens(module, owners)
    distinct = {_identity(weight): (weight, grad) for _, _, weight, grad in owners}
    size = sum(weight.size for weight, _ in distinct.values())
    flat, flat_grad = module.xp.empty(size, module.dtype), module.xp.empty(size, module.dtype)
    views, start = {}, 0
    for key, arrays in distinct.items():
        place = slice(start, start + arrays[0].size)
        views[key] = [new[place].reshape(arrays[0].shape) for new in (flat, flat_grad)]
        for view, old in zip(views[key], arrays):
            view[...] = old
        start = place.stop
    for owner, name, weight, _ in owners:
        # Sharers get one and the same array object: `clone` keeps such shared.
        view, view_grad = views[_identity(weight)]
        setattr(owner, name, view)
        setattr(owner, "grad_" + name, view_grad)
    return flat, flat_grad


def shapes(module):
    """Return the shapes of the parameters below `module` in the order in which `flatten` joins them."""
    return [shape for _, shape, _ in dict.fromkeys(_identity(weight) for _, _, weight, _ in _owned(module))]


def convert(module, dtype, device):
    """Convert all parameters, gradients and buffers below `module`, and each module's dtype and device."""
    moved = {}

    def move(owner, attribute, array):
        key = _identity(array)
        if key not in moved:
            # The old array is kept alive, so that no new one gets its address.
            moved[key] = backend.asarray(array, dtype, device), array
        setattr(owner, attribute, moved[key][0])

    for owner in module.list_modules():
        for name, weight, grad in list(owner.own_parameters()):
            move(owner, name, weight)
            move(owner, "grad_" + name, grad)
        for name in owner.buffer_names:
            if getattr(owner, name, None) is not None:
                move(owner, name, getattr(owner, name))
        owner.dtype, owner.device = dtype, device


def _owned(module):
    """List (owner, name, parameter, gradient) of all that own one; a shared parameter comes several times."""
    return [
        (m, name, weight, grad) for m in module.list_modules() for name, weight, grad in m.own_parameters()
    ]


def _check_flattens(module, owners):
    """Raise unless the (owner, name, weight, grad) in `owners` fit into two flat arrays."""
    dtypes = {weight.dtype for _, _, weight, _ in owners} - {module.dtype}
    if dtypes:
        raise TypeError(
            f"{module.name}.get_parameters: the module is {module.dtype}, a parameter {dtypes.pop()}; "
            "convert the module as a whole first (module.float(), module.double())"
        )
    pairs = {(_identity(weight), _identity(grad)) for _, _, weight, grad in owners}
    weights, grads = zip(*pairs) if pairs else ((), ())
    if not len(set(weights)) == len(set(grads)) == len(pairs):
        raise ValueError(
            f"{module.name}.get_parameters: a parameter is shared without its gradient, or the other way "
            'round; share both, as in share(other, "weight", "grad_weight")'
        )


def _identity(array):
    """Return a key that is equal for two arrays exactly when they are the same memory."""
    return backend.pointer(array), array.shape, array.strides
