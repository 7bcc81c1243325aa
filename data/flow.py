"""Optical flow on disk (Middlebury .flo, KITTI PNG) and its end-point error.

A flow is an array (H, W, 2) of (u, v): how far the content of each pixel moves to the right and down, in
pixels. Where it is not known, a component is beyond ±1e9 or NaN, as in Middlebury's own files.
"""

import os
import struct
from pathlib import Path

import numpy as np

from .png16 import decode_png16, encode_png16

UNKNOWN = 1e10
LARGEST_KNOWN = 1e9
_FLO_MAGIC = b"PIEH"  # the float 202021.25
_FLO_LARGEST_SIZE = 99_999


def known_flow(flow):
    """Return the mask (..., H, W) of the pixels of `flow` (..., H, W, 2) whose flow is known."""
    return (np.abs(flow) <= LARGEST_KNOWN).all(axis=-1)


def end_point_error(flow, truth, mask=None):
    """Return the mean of |flow - truth| over the pixels whose truth is known and that `mask` selects.

    flow, truth: (..., H, W, 2); mask: (..., H, W) of bool. NaN when no pixel is left.
    """
    flow, truth = np.asarray(flow), np.asarray(truth)
    if flow.shape != truth.shape or flow.shape[-1:] != (2,):
        raise ValueError(f"flow and truth must both be (..., H, W, 2), got {flow.shape} and {truth.shape}")
    counted = known_flow(truth)
    if mask is not None:
        if np.shape(mask) != counted.shape:
            raise ValueError(f"mask must have shape {counted.shape}, got {np.shape(mask)}")
        counted &= np.asarray(mask, bool)
    if not counted.any():
        return float("nan")
    difference = flow[counted].astype(np.float64) - truth[counted]
    return float(np.hypot(difference[:, 0], difference[:, 1]).mean())


def read_flo(path):
    """Return the flow (H, W, 2), float32, of a Middlebury .flo file.

    ValueError names the file when it is not one, is cut short, too long, or of a size that makes no sense.
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
        expected, found = 8 * width * height, os.fstat(file.fileno()).st_size - 12
        if found != expected:
            raise ValueError(f"{path}: {found} bytes of flow, but {width} x {height} pixels need {expected}")
        body = file.read(expected)
    return np.frombuffer(body, "<f4").reshape(height, width, 2).astype(np.float32)


def write_flo(path, flow):
    """Write a flow (H, W, 2) as a Middlebury .flo file; an existing file is replaced in one step."""
    flow = _checked(flow)
    height, width, _ = flow.shape
    if max(height, width) > _FLO_LARGEST_SIZE:
        raise ValueError(f"{path}: a .flo file holds at most {_FLO_LARGEST_SIZE} pixels a side")
    _write(path, _FLO_MAGIC + struct.pack("<ii", width, height) + flow.astype("<f4").tobytes())


def read_kitti_png(path):
    """Return the flow (H, W, 2), float32, of a KITTI flow PNG; unknown flow is 1e10.

    The file has 16 bits a channel: u = (R - 2¹⁵) / 64, v = (G - 2¹⁵) / 64, known where B > 0. ValueError
    names the file when it is no such PNG or broken.
    """
    image = decode_png16(Path(path).read_bytes(), path)
    flow = (image[..., :2].astype(np.float32) - 2**15) / 64
    flow[image[..., 2] == 0] = UNKNOWN
    return flow


def write_kitti_png(path, flow):
    """Write a flow (H, W, 2) as a KITTI PNG, rounded to 1/64 pixel; an existing file is replaced in one step.

    ValueError when a known component is outside [-512, 512 - 1/64], which the format cannot hold.
    """
    flow = _checked(flow)
    known = known_flow(flow)
    levels = np.rint(np.where(known[..., None], flow, -512).astype(np.float64) * 64) + 2**15
    if levels.min() < 0 or levels.max() > 65535:
        raise ValueError(f"{path}: a KITTI PNG holds flow from -512 to 511.98 pixels only")
    image = np.zeros((*known.shape, 3), np.uint16)
    image[..., :2] = levels
    image[..., 2] = known
    _write(path, encode_png16(image))


def _checked(flow):
    """Return `flow` as an array, raising unless it is (H, W, 2) and not empty."""
    flow = np.asarray(flow)
    if flow.ndim != 3 or flow.shape[2] != 2 or not flow.size:
        raise ValueError(f"flow must have shape (H, W, 2), got {flow.shape}")
    return flow


def _write(path, content):
    """Write a file beside `path` and move it there, so that no reader ever sees half of it."""
    from nnlite.files import replacing  # here, because whoever only reads needs nothing of nnlite

    with replacing(path) as part:
        part.write_bytes(content)
