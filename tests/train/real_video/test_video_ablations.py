"""The ablations on real video from the command line, with toy models."""

import json
from dataclasses import replace

import pytest

from nnlite import checkpoint
from nnlite.data import clips
from nnlite.train.video_ablations import __main__ as ablations
from nnlite.train.video_ablations.experiment import VARIANTS, VideoAblations
from nnlite.train.video_ablations.table import format_table

TOY = ["--preset", "tiny", "--device", "cpu", "--sequences", "4"]


@pytest.fixture(scope="module")
def table(videos, tmp_path_factory):
    """The folder of finished ablations, of two variants."""
    folder = tmp_path_factory.mktemp("runs") / "ablations"
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIANTS.keys() - {"base", "scales"}:
            patch.delitem(VARIANTS, name)
        read, usual = [], clips.Clips.__init__
        patch.setattr(
            clips.Clips, "__init__", lambda self, *rest, **more: read.append(1) or usual(self, *rest, **more)
        )
        assert ablations.main([*TOY, "--videos", str(videos), "--out", str(folder)]) == 0
    assert len(read) == 2  # those to learn from and those to test on, once for all variants
    return folder


def test_each_variant_differs_from_the_first_in_one_thing():
    plan = VideoAblations.plan(VideoAblations.parse(["--sequences", "5"], "a program")[1])
    assert list(plan) == list(VARIANTS)
    own = {"sample": "frame", "shrink": 0.1, "change": 0.01}
    for name, settings in plan.items():
        assert (settings.sequences, settings.weights, settings.render) == (5, "pretrained", "none")
        changed = dict(settings.model_options.items() - own.items()), settings.loss
        options = VARIANTS[name][1].get("model_options", {})
        assert changed == (options, "charbonnier" if name == "charbonnier" else "square")


def test_a_variant_that_began_with_other_clips_than_those_read_before(monkeypatch, tmp_path):
    plan = VideoAblations.plan(VideoAblations.parse(["--videos", "clips"], "a program")[1])
    first = VideoAblations(replace(plan["base"], signature=1), tmp_path)
    first.clips = first.test = first.epoch = first.validation_subset = None
    monkeypatch.setattr(VideoAblations, "_read", [first])
    VideoAblations(plan["scales"], tmp_path).load()
    resumed = VideoAblations(replace(plan["scales"], signature=2), tmp_path)
    with pytest.raises(ValueError, match="the training videos are not those that the run"):
        resumed.load()


def test_table(table):
    saved = json.loads((table / "ablations.json").read_text())
    assert [row["variant"] for row in saved["rows"]] == ["base", "scales"]
    for row in saved["rows"]:
        result = json.loads((table / row["variant"] / "result.json").read_text())
        (video,) = result["videos"]
        assert row["worst"] == {"video": video["video"], "over_copy": video["over_copy"]}
        assert row["over_copy"] == pytest.approx(video["over_copy"])  # the only test video
        assert row["by_motion"]["fast"] == result["by_motion"]["fast"]["over_copy"]["model"]
        flow = result["flow"]
        assert row["flow_error"]["last"] == flow["model"]["last"] / flow["zero"]["last"]
    page = (table / "ablations.md").read_text()
    assert format_table(saved) in page and "4 sequences of 5 frames each" in page
    assert str(table.parent) not in page
    options = checkpoint.load(table / "scales" / "checkpoint.h5").architecture["options"]
    assert options["scales"] == 2
