"""Frequency-domain convolution: DFT matrices against NumPy's FFT, tiles, and all three products by hand."""

import numpy as np
import pytest
from scipy.signal import correlate2d

from nnlite.ops import dft
from nnlite.ops.cost import choose_tile
from nnlite.ops.spectral import SpectralConvolution
from nnlite.ops.tiles import Tiling, from_tiles, gather_halo, overlap_add, to_tiles


@pytest.mark.parametrize("length", [7, 14, 22])
def test_dft_matrices_agree_with_fft(length):
    x = np.random.default_rng(0).standard_normal((length, length, 3))
    half = length // 2 + 1
    rows = (dft.rows_forward(length, length) @ x.reshape(length, -1)).reshape(half, 2 * length, 3)
    spectrum = (dft.columns_forward(length, length) @ rows).reshape(half, length, 2, 3)
    wanted = np.fft.fft2(x, axes=(0, 1))[:half]
    np.testing.assert_allclose(spectrum[:, :, 0] + 1j * spectrum[:, :, 1], wanted, atol=1e-12)
    back = (dft.columns_inverse(length, 4, 2) @ spectrum.reshape(half, 2 * length, 3)).reshape(2 * half, -1)
    np.testing.assert_allclose(
        (dft.rows_inverse(length, 3, 1) @ back).reshape(3, 4, 3), x[1:4, 2:6], atol=1e-13
    )


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("kernel", [(3, 3), (3, 5), (5, 2), (1, 1)])
@pytest.mark.parametrize("anew", [False, True])
def test_products_against_scipy(kernel, anew, dtype, tolerance):
    rng = np.random.default_rng(1)
    m, n_in, n_out, batch, steps = 6, 3, 4, 2, 3
    convolution = SpectralConvolution(n_in, n_out, kernel, m, batch, steps, dtype, np, chunk=2, anew=anew)
    length = convolution.length
    weight = rng.standard_normal((n_out, n_in, *kernel)).astype(dtype)
    bias = rng.standard_normal(n_out).astype(dtype)
    us = rng.standard_normal((steps, length, length, n_in, batch)).astype(dtype)
    dzs = rng.standard_normal((steps, m, m, n_out, batch)).astype(dtype)
    convolution.set_weight(weight, bias)

    for t, u in enumerate(us):
        z = np.empty((m, m, n_out, batch), dtype)
        convolution.forward(u, z, t)
        for o in range(n_out):
            for b in range(batch):
                wanted = sum(correlate2d(u[:, :, i, b], weight[o, i], "valid") for i in range(n_in)) + bias[o]
                assert_close(z[:, :, o, b], wanted[:m, :m], tolerance)

    weight_grad, bias_grad = 0, 0
    for t in reversed(range(steps)):
        du = np.empty((length, length, n_in, batch), dtype)
        convolution.backward(dzs[t], du, t, us[t])
        wanted = np.zeros_like(du)
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                wanted[i : i + m, j : j + m] += np.einsum("oc,hwob->hwcb", weight[:, :, i, j], dzs[t])
        assert_close(du, wanted, tolerance)
        if t % convolution.chunk == 0:
            gradients = convolution.weight_gradient(t)
            weight_grad, bias_grad = weight_grad + gradients[0], bias_grad + gradients[1]
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            wanted = np.einsum("thwob,thwcb->oc", dzs, us[:, i : i + m, j : j + m])
            assert_close(weight_grad[:, :, i, j], wanted, tolerance)
    assert_close(bias_grad, dzs.sum(axis=(0, 1, 2, 4)), tolerance)


@pytest.mark.parametrize("kernel, padding", [((3, 3), 1), ((7, 7), 3), ((4, 4), 1), ((3, 5), 1), ((1, 1), 0)])
def test_a_whole_map_needs_its_padding_but_once(kernel, padding):
    rng, m, n_in, n_out, batch = np.random.default_rng(4), 6, 2, 3, 2
    convolution = SpectralConvolution(n_in, n_out, kernel, m, batch, 1, np.dtype(float), np, padding=padding)
    assert convolution.length == m + max(padding, max(kernel) - 1 - padding)
    weight = rng.standard_normal((n_out, n_in, *kernel))
    u, dz = rng.standard_normal((m, m, n_in, batch)), rng.standard_normal((m, m, n_out, batch))
    z, du = np.empty_like(dz), np.empty_like(u)
    convolution.set_weight(weight, np.zeros(n_out))
    convolution.forward(u, z)
    convolution.backward(dz, du)
    weight_grad, bias_grad = convolution.weight_gradient()

    around = [(padding, k - 1 - padding) for k in kernel]
    padded = np.pad(u, [*around, (0, 0), (0, 0)])
    wanted, wanted_du, wanted_weight = np.zeros_like(z), np.zeros_like(padded), np.zeros_like(weight)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            tap, window = weight[:, :, i, j], np.s_[i : i + m, j : j + m]
            wanted += np.einsum("oc,hwcb->hwob", tap, padded[window])
            wanted_du[window] += np.einsum("oc,hwob->hwcb", tap, dz)
            wanted_weight[:, :, i, j] = np.einsum("hwob,hwcb->oc", dz, padded[window])
    assert_close(z, wanted, 1e-12)
    assert_close(du, wanted_du[padding : padding + m, padding : padding + m], 1e-12)
    assert_close(weight_grad, wanted_weight, 1e-12)
    assert_close(bias_grad, dz.sum(axis=(0, 1, 3)), 1e-12)


@pytest.mark.parametrize("size, tile", [((8, 8), 4), ((9, 13), 5), ((5, 4), 8)])
def test_tiles_with_their_halo_are_windows_of_the_padded_image(size, tile):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((4, 2, 3, *size))
    tiling = Tiling(2, *size, tile, (2, 1), (1, 2))
    tiles = np.full((4, tile, tile, 3, tiling.batch), np.nan)
    to_tiles(tiling, x, tiles)
    padded = np.pad(x, ((0, 0), (0, 0), (0, 0), (2, tile + 4), (1, tile + 4)))
    for t in range(4):
        u = np.zeros((tile + 3, tile + 3, 3, tiling.batch))
        gather_halo(tiling, tiles[t], u)
        grid = u.reshape(tile + 3, tile + 3, 3, tiling.rows, tiling.columns, 2)
        for row in range(tiling.rows):
            for column in range(tiling.columns):
                window = padded[t, :, :, row * tile :, column * tile :][:, :, : tile + 3, : tile + 3]
                np.testing.assert_array_equal(grid[:, :, :, row, column], window.transpose(2, 3, 1, 0))
    back = np.empty_like(x)
    from_tiles(tiling, tiles, back)
    np.testing.assert_array_equal(back, x)


def test_overlap_add_is_the_adjoint_of_gather_halo():
    rng = np.random.default_rng(3)
    tiling = Tiling(2, 9, 13, 5, (1, 2), (2, 1))
    x = rng.standard_normal((2, 3, 9, 13))
    tiles, u = np.empty((5, 5, 3, tiling.batch)), np.zeros((8, 8, 3, tiling.batch))
    to_tiles(tiling, x, tiles)
    gather_halo(tiling, tiles, u)
    v, added = rng.standard_normal(u.shape), np.empty_like(tiles)
    overlap_add(tiling, v, added)
    np.testing.assert_allclose(np.vdot(u, v), np.vdot(tiles, added), rtol=1e-12)


def test_chosen_tile_fits():
    for height, width, images in [(32, 32, 1), (32, 32, 64), (45, 60, 1), (3, 3, 2)]:
        tile = choose_tile(height, width, images, 7, 80, 256)
        assert 6 <= tile <= max(height, width, 6)


def assert_close(got, wanted, tolerance):
    np.testing.assert_allclose(got, wanted, atol=tolerance * max(1.0, np.abs(wanted).max()))
