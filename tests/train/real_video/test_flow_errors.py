"""End-point errors of the flow: on drawn motion, and on pairs with and without frames before them."""

import json

import numpy as np
import pytest
from PIL import Image

import nnlite as nn
from nnlite import checkpoint
from nnlite.data.flow import write_flo
from nnlite.data.shapes import background_texture
from nnlite.data.sintel import sintel_pairs
from nnlite.train.real_video import __main__ as real_video
from nnlite.train.real_video import flow_errors
from nnlite.train.real_video.experiment import RealVideo
from nnlite.train.real_video.flow_errors import NAMES
from nnlite.train.runs.experiment import reopen
from tests.toy_real_video import TOY

SIZE = (24, 32)


def textures(random):
    return background_texture(random)


class Told:
    """In place of a model: predicts the flow that it is told, the same everywhere."""

    def __init__(self, u, v):
        self.motion = u, v

    def predict(self, _, frames):
        return frames, np.broadcast_to(np.float32(self.motion), (*frames.shape[:2], *frames.shape[-2:], 2))


@pytest.fixture
def told(monkeypatch):
    """Return the function that sets the flow that any model predicts."""

    def tell(u, v):
        monkeypatch.setattr(flow_errors, "predict", Told(u, v).predict)
        return nn.Identity()

    return tell


def test_drawn_motion(told, monkeypatch):
    monkeypatch.setattr(flow_errors, "BATCH", 1)
    found = flow_errors.drawn_errors(told(0.5, -1.0), textures, SIZE, 5, count=2)
    assert list(found) == list(NAMES)
    video = flow_errors.MovingTextures(textures, SIZE, 5, split="test").batch([0, 1])
    truth, visible = video.true_flow("target")
    for steps, here in (("last", slice(-1, None)), ("all", slice(None))):
        u, v = np.moveaxis(truth, 2, 0)[:, here][:, visible[here]]
        assert found["zero"][steps] == pytest.approx(np.hypot(u, v).mean(), rel=1e-5)
        assert found["model"][steps] == pytest.approx(np.hypot(u - 0.5, v + 1).mean(), rel=1e-5)
        assert found["shown"][steps] < found["zero"][steps]
    assert found["carried"]["all"] > found["carried"]["last"]  # of the first step nothing is known
    assert flow_errors.format_drawn(found).splitlines()[3].startswith("| zero flow ")


def test_frames_too_small_to_draw(told):
    assert flow_errors.drawn_errors(told(0, 0), textures, (6, 20), 5) is None


def sintel(folder):
    """Return a folder of Sintel's layout with a scene that moves by (2, -4) a frame, from frame 1 to 4."""
    height, width = 48, 96
    y, x = np.mgrid[:height, :width].astype(float)
    for kind in ("clean", "flow"):
        (folder / kind / "alley").mkdir(parents=True)
    for t in range(1, 5):
        a, b = x - 2 * t, y + 4 * t
        picture = np.rint(127 + 60 * np.sin(a / 7) + 60 * np.cos(b / 9)).astype(np.uint8)
        Image.fromarray(np.stack([picture] * 3, axis=-1)).save(folder / f"clean/alley/frame_{t:04d}.png")
        if t < 4:
            write_flo(folder / f"flow/alley/frame_{t:04d}.flo", np.full((height, width, 2), (2.0, -4.0)))
    return folder


def test_pairs(told, tmp_path):
    """The flow of frames at half the height and a third of the width is brought to the pairs' size."""
    pairs, _ = sintel_pairs(sintel(tmp_path))
    found = flow_errors.pair_errors(told(1.0, -2.0), pairs, SIZE, "grey")
    assert [(pair["name"], pair["seen"]) for pair in found] == [
        ("alley 1->2", 1),
        ("alley 2->3", 2),
        ("alley 3->4", 3),
    ]
    for pair in found:
        assert pair["zero"] == pytest.approx(np.hypot(2, 4), rel=1e-5)
        assert pair["model"] == pytest.approx(1.0, rel=1e-5)  # 3 and -4 where 2 and -4 are true
        assert pair["shown"] < 0.5 * pair["zero"]
    assert "carried" not in found[0] and found[2]["carried"] < 0.5 * found[2]["zero"]
    table = flow_errors.format_pairs(found)
    assert "Of 1 of the 3 pairs no frame before the first is there" in table
    assert table.splitlines()[2].split("|")[-3].strip() == "-"


def test_a_gap_ends_the_frames_before(told, tmp_path):
    pairs, _ = sintel_pairs(sintel(tmp_path))
    (tmp_path / "clean" / "alley" / "frame_0002.png").unlink()
    last = pairs[-1]
    assert flow_errors.pair_errors(told(0, 0), [last], SIZE, "grey")[0]["seen"] == 1


def test_the_command(finished, videos, tmp_path, capsys):
    test = ["--test", str(videos / "clip 0.mp4"), "--test-clips", "1"]
    folders = ["--sintel", str(sintel(tmp_path))]
    assert real_video.main(["--evaluate", str(finished), *test, *folders]) == 0
    printed = capsys.readouterr().out
    assert (
        "End-point error of the flow, in pixels, on drawn motion of textures of the test videos:" in printed
    )
    assert "| Sintel clean alley 3->4 |           3 |" in printed
    assert real_video.main(["--evaluate", str(finished), *test, "--sintel", str(videos)]) == 2
    assert "--sintel" in capsys.readouterr().err


def test_a_run_keeps_the_pairs_to_score_on(videos, tmp_path):
    """Resumed it scores on them again; packed weights name the folder without those above it."""
    run, packed = tmp_path / "run", tmp_path / "packed" / "ae_convlstm_flow_toy.h5"
    folder = sintel(tmp_path / "sintel")
    new = ["--videos", str(videos), "--render", "none", "--sintel", str(folder), "--out", str(run)]
    assert real_video.main([*TOY, *new]) == 0
    first = json.loads((run / "result.json").read_text())
    assert real_video.main(["--resume", str(run), "--sequences", "20"]) == 0
    again = json.loads((run / "result.json").read_text())
    names = [pair["name"] for pair in again["pairs"]]
    assert names == [pair["name"] for pair in first["pairs"]] and "alley 3->4" in names
    assert real_video.main(["--export", str(run), "--out", str(packed)]) == 0
    assert checkpoint.load(packed).metadata["experiment"]["sintel"] == "sintel"
    assert reopen(RealVideo, packed)[0].settings.sintel is None
