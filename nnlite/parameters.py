"""Operations on all parameter arrays of a module: flattening, shapes, conversion.

Two parameters are the same when they are the same memory, and all functions keep them the same.
"""

import weakref

from . import backend

#: Weak references (flat parameters, flat gradients, module) to what `flatten` returned and is in use.
_pairs = []
#: Flat arrays, by id, that no longer hold the parameters or gradients of their module.
_stale: weakref.WeakValueDictionary = weakref.WeakValueDictionary()


def flatten(module):
    """Move all parameters below `module` into one array and all gradients into another; return the two.

    Each parameter becomes a view of its place, a shared one takes one place. Where all lie in two such arrays
    already, in this order, these are returned. See `Module.get_parameters`.
    """
    owners = _owned(module)
    _check_flattens(module, owners)
    distinct = {_identity(weight): (weight, grad) for _, _, weight, grad in owners}
    for flat, flat_grad, owner in _pairs_in_use():
        if owner is module and _are_exactly(flat, flat_grad, distinct.values()):
            return flat, flat_grad
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
    _pairs.append((weakref.ref(flat), weakref.ref(flat_grad), weakref.ref(module)))
    return flat, flat_grad


def find_stale():
    """Look for flat arrays that no longer hold their module's parameters; on the CPU make them read-only."""
    for flat, flat_grad, module in _pairs_in_use():
        if not _hold(flat, flat_grad, module):
            _pairs[:] = [pair for pair in _pairs if pair[0]() is not flat]
            for array in (flat, flat_grad):
                _stale[id(array)] = array
                backend.forbid_writing(array)


def check_connected(array, what):
    """Raise RuntimeError if `array` came from `get_parameters` and the module has other arrays meanwhile."""
    for flat, flat_grad, module in _pairs_in_use():
        if (array is flat or array is flat_grad) and not _hold(flat, flat_grad, module):
            find_stale()
    if _stale.get(id(array)) is array:
        raise RuntimeError(
            f"{what} no longer holds the parameters of its module, which were moved (by double(), float(), "
            "cuda(), share() or get_parameters() of a part) or added to; call get_parameters() again"
        )


def shapes(module):
    """Return the shapes of the parameters below `module` in the order in which `flatten` joins them."""
    return [shape for _, shape, _ in dict.fromkeys(_identity(weight) for _, _, weight, _ in _owned(module))]


def share(module, other, names):
    """Make the named arrays of `module` those of `other`, recursively. See `Module.share`."""
    for name in names:
        if getattr(module, name, None) is not None:
            form, other_form = _form(getattr(module, name)), _form(getattr(other, name, None))
            if form != other_form:
                raise ValueError(
                    f"{module.name}.share: {name} is {form} here, {other_form} in the other module"
                )
            setattr(module, name, getattr(other, name))
    for (_, child), (_, other_child) in zip(module.children(), other.children(), strict=True):
        share(child, other_child, names)


def convert(module, dtype, device):
    """Convert all parameters, gradients and buffers below `module`, and each module's dtype and device.

    Returns whether any array was replaced.
    """
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
    return any(new is not old for new, old in moved.values())


def _pairs_in_use():
    """Return (flat parameters, flat gradients, module) of all whose three parts are still alive."""
    alive = [(pair, tuple(reference() for reference in pair)) for pair in _pairs]
    alive = [(pair, parts) for pair, parts in alive if not any(part is None for part in parts)]
    _pairs[:] = [pair for pair, _ in alive]
    return [parts for _, parts in alive]


def _hold(flat, flat_grad, module):
    """Return whether two flat arrays hold all parameters and gradients of `module`."""
    return all(_lies_in(weight, flat) and _lies_in(grad, flat_grad) for _, _, weight, grad in _owned(module))


def _lies_in(array, whole):
    """Return whether the memory of `array` is part of that of the flat array `whole`."""
    offset = backend.pointer(array) - backend.pointer(whole)
    same_device = backend.device_of(array) == backend.device_of(whole)
    return not array.size or (same_device and 0 <= offset <= whole.nbytes - array.nbytes)


def _are_exactly(flat, flat_grad, arrays):
    """Return whether the (parameter, gradient) in `arrays` are two flat arrays cut into pieces, in order."""
    start = 0
    for pair in arrays:
        stop = start + pair[0].size
        for array, whole in zip(pair, (flat, flat_grad)):
            place = whole[start:stop].reshape(array.shape)
            if not _lies_in(array, whole) or _identity(array) != _identity(place):
                return False
        start = stop
    return start == flat.size


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


def _form(array):
    """Return dtype, shape and device of an array as text, such as "float32 (2, 3) on cpu"."""
    return "absent" if array is None else f"{array.dtype} {array.shape} on {backend.device_of(array)}"
