"""The example that opens a public Torch7 model, on files of the same form whose flow is known."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nnlite as nn
from nnlite import torch7
from nnlite.data.flow import write_flo
from tests import golden_cases as golden

SCRIPT = Path(__file__).parents[1] / "examples" / "open_a_torch7_model.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("open_a_torch7_model", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def network(flow, wrapped=False):
    """Return an object as SPyNet's files hold it, cudnn's classes and all, that finds a constant flow."""
    first, last = nn.SpatialConvolution(8, 4, 7, 7, 1, 1, 3, 3), nn.SpatialConvolution(4, 2, 7, 7, 1, 1, 3, 3)
    last.weight.fill(0)
    last.bias[...] = flow
    obj = torch7.from_module(nn.Sequential(first, nn.ReLU(), last))
    for each in (obj, *torch7.as_list(obj.contents["modules"])):
        each.contents["_type"] = "torch.CudaTensor"
        if each is not obj:
            each.class_name = each.class_name.replace("nn.", "cudnn.")
    return torch7.TorchObject("nn.DataParallelTable", {"modules": {1: obj}}) if wrapped else obj


def picture(path, height, width):
    values = np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(values).save(path)


def test_pyramid_adds_up_what_its_levels_find(example, tmp_path, capsys):
    flows = [(1, -2), (0.5, 0.25), (0, 1)]
    for level, flow in enumerate(flows, 1):
        torch7.save(tmp_path / f"modelL{level}_F.t7", network(flow, wrapped=level == 2))
    for name in ("a.png", "b.png"):
        picture(tmp_path / name, 90, 128)
    want = 4 * np.array(flows[0]) + 2 * np.array(flows[1]) + np.array(flows[2])
    want = want * [1, 90 / 96]  # the frames are stretched to 96 x 128
    write_flo(tmp_path / "true.flo", np.broadcast_to(want, (90, 128, 2)))
    files = [str(tmp_path), str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    options = ["--truth", str(tmp_path / "true.flo"), "--out", str(tmp_path / "flow.png")]
    assert example.main([*files, *options]) == 0
    printed = capsys.readouterr().out
    assert "modelL2_F.t7: nn.Sequential of 3, cudnn.ReLU, cudnn.SpatialConvolution" in printed
    assert f"3 levels; mean motion {np.hypot(*want):.2f} pixels" in printed
    assert "end-point error 0.00 pixels" in printed
    assert Image.open(tmp_path / "flow.png").size == (128, 90)


def test_frames_are_moved_by_the_flow(example):
    image = np.random.default_rng(8).standard_normal((3, 6, 9)).astype(np.float32)
    places = example.positions(6, 9)
    golden.assert_close(example.sample(image, places), image, 1e-6)
    moved = example.sample(image, places + np.array([2, -1], np.float32))
    golden.assert_close(moved[:, 1:, :-2], image[:, :-1, 2:], 1e-5)
    golden.assert_close(moved[:, 0, -1], image[:, 0, -1], 1e-5)  # kept inside


def test_finer_flow_is_corner_on_corner(example):
    flow = np.array([[[0, 1], [2, 3]], [[0, 0], [3, 3]]], np.float32)
    finer = example.twice_as_large(flow)
    thirds = np.arange(4) / 3
    golden.assert_close(finer[0], 2 * (2 * thirds[:, None] + thirds), 1e-6)
    golden.assert_close(finer[1], np.repeat(2 * 3 * thirds[:, None], 4, 1), 1e-6)


def test_errors_are_told(example, tmp_path, capsys):
    for name, height in (("a.png", 20), ("b.png", 24)):
        picture(tmp_path / name, height, 30)
    assert example.main([str(tmp_path), str(tmp_path / "a.png"), str(tmp_path / "b.png")]) == 1
    assert "differ in size" in capsys.readouterr().err
    assert example.main([str(tmp_path), str(tmp_path / "a.png"), str(tmp_path / "a.png")]) == 1
    assert "modelL1_F.t7" in capsys.readouterr().err
    (tmp_path / "modelL1_F.t7").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert example.main([str(tmp_path), str(tmp_path / "a.png"), str(tmp_path / "a.png")]) == 1
    assert "git lfs pull" in capsys.readouterr().err
