"""Optical flow in Middlebury .flo files, and its end-point error.

A flow is an array (H, W, 2) of (u, v): how far the content of each pixel moves right and down, in pixels.
Where the flow is unknown, a component is beyond ±1e9 or NaN, as in Middlebury's own files.
"""

import os
import struct

import numpy as np

LARGEST_KNOWN = 1e9
_FLO_MAGIC = b"PIEH"  # the float 202021.25
_FLO_LARGEST_SIZE = 99_999


def known_flow(flow):
    """Return the mask (..., H, W) of the pixels where `flow` (..., H, W, 2) is known."""
    return (np.abs(flow) <= LARGEST_KNOWN).all(axis=-1)


def end_point_error(flow, truth, mask=None):
    """Return the mean of |flow - truth| over the pixels where `truth` is known and `mask` is true.

    flow, truth: (..., H, W, 2); mask: (..., H, W) bool. NaN if there are no such pixels.

        >>> from nnlite.data.flow import end_point_error
        >>> print(end_point_error(np.zeros((4, 5, 2)), np.full((4, 5, 2), [3, 4])))
        5.0
    """
    flow, truth = np.asarray(flow), np.asarray(truth)
    if flow.shape != truth.shape or flow.shape[-1:] != (2,):
        raise ValueError(f"flow and truth must both be (..., H, W, 2), got {flow.shape} and {truth.shape}")
    selected = known_flow(truth)
    if mask is not None:
        if np.shape(mask) != selected.shape:
            raise ValueError(f"mask must have shape {selected.shape}, got {np.shape(mask)}")
        selected &= np.asarray(mask, bool)
    if not selected.any():
        return float("nan")
    difference = flow[selected].astype(np.float64) - truth[selected]
    return float(np.hypot(difference[:, 0], difference[:, 1]).mean())


def read_flo(path):
    """Return the flow (H, W, 2), float32, in a Middlebury .flo file.

    ValueError names the file if it is not a .flo file, is too short or too long, or states an invalid size.
    """
    with open(path, "rb") as file:
        header = file.read(12)
        if header[:4] != _FLO_MAGIC:
            raise ValueError(f"{path}: not a .flo file (it begins with {header[:4]!r}, not {_FLO_MAGIC!r})")
        if len(header) < 12:
            raise ValueError(f"{path}: the header ends after {len(header)} of 12 bytes")
        width, height = struct.unpack("<ii", header[4:])
        if not (1 <= width <= _FLO_LARGEST_SIZE and 1 <= height <= _FLO_LARGEST_SIZE):
            raise ValueError(
                f"{path}: width {width} and height {height} must be between 1 and {_FLO_LARGEST_SIZE}"
            )
        expected, actual = 8 * width * height, os.fstat(file.fileno()).st_size - 12
        if actual != expected:
            raise ValueError(f"{path}: {actual} bytes of flow, but {height} x {width} pixels need {expected}")
        body = file.read(expected)
    return np.frombuffer(body, "<f4").reshape(height, width, 2).astype(np.float32)


def write_flo(path, flow):
    """Write a flow (H, W, 2) to a Middlebury .flo file; an existing file is replaced atomically."""
    flow = _checked(flow)
    height, width, _ = flow.shape
    if max(height, width) > _FLO_LARGEST_SIZE:
        raise ValueError(f"{path}: a .flo file holds at most {_FLO_LARGEST_SIZE} pixels a side")
    from nnlite.files import write_bytes  # here, because whoever only reads needs nothing of nnlite

    write_bytes(path, _FLO_MAGIC + struct.pack("<ii", width, height) + flow.astype("<f4").tobytes())


def _checked(flow):
    """Return `flow` as an array; ValueError unless it has shape (H, W, 2) and is not empty."""
    flow = np.asarray(flow)
    if flow.ndim != 3 or flow.shape[2] != 2 or not flow.size:
        raise ValueError(f"flow must have shape (H, W, 2), got {flow.shape}")
    return flow
