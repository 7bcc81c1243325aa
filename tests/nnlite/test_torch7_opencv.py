"""Torch7 files as OpenCV 4 reads them; its importer is another reading of the format. (OpenCV 5 has none.)"""

import numpy as np
import pytest

import nnlite as nn
from nnlite import torch7
from nnlite.models.ae_conv import AEConv
from nnlite.models.segnet import SegNet

cv2 = pytest.importorskip("cv2")
if not hasattr(cv2.dnn, "readNetFromTorch"):
    pytest.skip("this OpenCV cannot read Torch7 files", allow_module_level=True)

RNG = np.random.default_rng(6)


def noise(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def assert_read_by_opencv(net, x, folder, tolerance=1e-4):
    """Compare what OpenCV computes from a file of `net`, which is evaluating, with the net itself."""
    net.evaluate()
    want = net.forward(x)
    torch7.save(folder / "net.t7", torch7.from_module(net))
    imported = cv2.dnn.readNetFromTorch(str(folder / "net.t7"))
    imported.setInput(x)
    got = imported.forward()
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * np.abs(want).max())


@pytest.mark.parametrize("flat", [False, True])
def test_segnet(flat, tmp_path):
    """OpenCV's unpooling gives back even sizes only, which these are at all four levels."""
    model = SegNet(32, 48, n_features=6, kernel=3)
    frames = noise(3, 3, 32, 48)
    model.forward(frames)
    parts = [model.normalisation, *model.encoder, *model.decoder, model.classifier]
    layers = [layer for part in parts for layer in (part if isinstance(part, nn.Sequential) else [part])]
    net = nn.Sequential(*layers)
    if flat:
        net.get_parameters()
    assert_read_by_opencv(net, frames[:1], tmp_path)


def test_ae_conv(tmp_path):
    model = AEConv()
    layers = [layer for part in (model.encoder, model.middle, model.decoder) for layer in part]
    assert_read_by_opencv(nn.Sequential(*layers), noise(1, 10, 64, 64), tmp_path)


def branches():
    return nn.SpatialConvolution(3, 4, 3, 3, 1, 1, 1, 1), nn.SpatialConvolution(3, 4, 1, 1)


LAYERS = {
    "dense": lambda: (nn.Reshape(288, batch_mode=True), nn.Linear(288, 5), nn.Tanh(), nn.Linear(5, 2)),
    "concatenated": lambda: (nn.Concat(1, *branches()), nn.Sigmoid()),
    "added": lambda: (nn.ConcatTable(*branches()), nn.CAddTable()),
    "joined": lambda: (nn.ConcatTable(*branches()), nn.JoinTable(1)),
    "up": lambda: (nn.SpatialFullConvolution(3, 2, 4, 4, 2, 2, 1, 1), nn.SpatialUpSamplingNearest(2)),
    "pooled": lambda: (nn.SpatialMaxPooling(3, 3, 2, 2, 1, 1), nn.SpatialAveragePooling(2, 2, 2, 2)),
    "scaled": lambda: (nn.SpatialZeroPadding(1, 1, 2, 0), nn.MulConstant(0.3), nn.Square(), nn.SoftMax()),
    "dropout": lambda: (nn.Dropout(0.4), nn.SpatialDropout(0.4), nn.Dropout(0.4, v1=True), nn.Identity()),
    "without bias": lambda: (nn.SpatialConvolution(3, 4, 3, 3).no_bias(), nn.ReLU(), nn.LogSoftMax()),
}


@pytest.mark.parametrize("name", list(LAYERS))
def test_layers(name, tmp_path):
    assert_read_by_opencv(nn.Sequential(*LAYERS[name]()), noise(1, 3, 8, 12), tmp_path)


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a.T,
        np.asfortranarray,
        lambda a: a[:, ::2],
        lambda a: a[1:3, 1:],
        lambda a: np.broadcast_to(a[0], (3, 6)),
    ],
)
def test_views_are_read_as_they_are(view, tmp_path):
    array = view(noise(4, 6))
    torch7.save(tmp_path / "array.t7", array)
    np.testing.assert_array_equal(cv2.dnn.readTorchBlob(str(tmp_path / "array.t7")), array)
