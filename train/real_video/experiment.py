"""What a run on real video is about, new or from a checkpoint: which videos, which clips, which model."""

import os
from pathlib import Path

from nnlite.data.clips import Clips
from nnlite.data.hmdb51 import read_split
from nnlite.data.sources import find_sources, split_sources
from nnlite.train.real_video.drawn_videos import draw_videos

import nnlite as nn
from nnlite import backend, checkpoint, models

#: Settings that say what is learned from what, kept in the checkpoint; those of `LoopOptions` say how.
EXPERIMENT = (
    *("videos", "test", "splits", "split", "test_share", "size", "crop", "colour", "rate", "frames"),
    *("stride", "max_jump", "strict", "cache_mib", "test_clips", "model_options", "seed"),
)
MODEL = "ae_convlstm_flow"
#: Taken off all frames: to the model middle grey is 0. With values from 0 to 1 the brightness that all pixels
#: share dominates every gradient; encoder and decoder alone needed four times the steps to copy as well.
GREY = 0.5
#: Where drawn videos are, in the folder of the run.
DRAWN = "drawn"


def usual_folders():
    """Return videos/ and sequences/ in the folder that NNLITE_DATA names, those that are there, or None."""
    root = os.environ.get("NNLITE_DATA")
    folders = [Path(root, name).resolve() for name in ("videos", "sequences")] if root else []
    return [str(folder) for folder in folders if folder.is_dir()] or None


def find_videos(experiment, folder):
    """Return the training and the test sources; drawn ones in the run's `folder` where none are named."""
    if experiment["videos"]:
        folders = [Path(name).resolve() for name in experiment["videos"]]
    else:
        print(
            "No videos here: name folders of them with --videos, or the folder above videos/ in the\n"
            "environment variable NNLITE_DATA. In their place some drawn by this command, textured shapes\n"
            "that move.\n"
        )
        folders = [(folder / DRAWN).resolve()]
        draw_videos(folders[0])
    if experiment["splits"]:
        return read_split(folders[0], experiment["splits"], experiment["split"])
    sources = [source for place in folders for source in find_sources(place)]
    if experiment["test"]:
        return sources, [source for place in experiment["test"] for source in find_sources(place)]
    # The seed of a run changes neither split: all runs are scored on the same videos.
    return split_sources(sources, os.path.commonpath(folders), experiment["test_share"])


def load_clips(sources, experiment, stride):
    """Return the `Clips` of the sources, one every `stride` frames; those left out are printed."""
    clips = Clips(
        sources,
        experiment["frames"],
        tuple(experiment["size"]),
        stride,
        experiment["colour"],
        experiment["rate"] or None,
        experiment["max_jump"],
        skip_repeats=True,
        strict=experiment["strict"],
        cache_mib=experiment["cache_mib"],
        progress=True,
    )
    return clips


def choose_clips(clips, most):
    """Return the numbers of at most `most` clips of each source, evenly spread over it."""
    places = {}
    for i in range(len(clips)):
        places.setdefault(clips.place(i)[0], []).append(i)
    chosen = []
    for found in places.values():
        count = min(most, len(found))
        chosen += [found[(2 * k + 1) * len(found) // (2 * count)] for k in range(count)]
    return chosen


def build_model(experiment, device, size=None):
    """Return the experiment's model with its initial weights, on the given device.

    size: (height, width) of its frames, those of the experiment by default. The parameters are the same for
    any size: all layers are convolutions.
    """
    nn.manual_seed(experiment["seed"])
    height, width = size or experiment["size"]
    channels = 1 if experiment["colour"] == "grey" else 3
    options = {"height": height, "width": width, "n_channels": channels, "output": "linear"}
    return models.build(MODEL, **(options | experiment["model_options"])).type(device=device)


def load_checkpoint(path, settings):
    """Return a checkpoint of a run; `settings` may say where its videos are now and what to test on."""
    saved = checkpoint.load(path)
    if "signature" not in saved.metadata.get("experiment", {}):
        raise ValueError(f"{path} is a checkpoint, but not one of train.real_video")
    names = ("videos", "test", "splits", "split", "test_clips", "cache_mib", "strict")
    saved.metadata["experiment"] |= {name: settings[name] for name in names if name in settings}
    return saved


def load_trained(path, settings):
    """Return the model in the checkpoint of a run, with its weights, and the checkpoint."""
    saved = load_checkpoint(path, settings)
    model = build_model(saved.metadata["experiment"], backend.resolve_device(settings.get("device", "auto")))
    checkpoint.load_parameters(model, saved)
    return model, saved


def describe(model, experiment):
    """Return in one line what learns to predict what, on what."""
    height, width = experiment["size"]
    crop = f", from crops of {experiment['crop'][1]}x{experiment['crop'][0]}" if experiment["crop"] else ""
    rate = f"{experiment['rate']:g} frames a second" if experiment["rate"] else "each frame of the files"
    return (
        f"{MODEL} ({models.count_parameters(model):,} parameters) on the {model.device}: "
        f"{experiment['colour']} frames of {width}x{height} pixels{crop}, {rate}, clips of "
        f"{experiment['frames']}"
    )


def portable_experiment(experiment):
    """Return the experiment with folders by name alone."""
    folders = {
        name: [Path(folder).name for folder in experiment[name]] if experiment[name] else None
        for name in ("videos", "test")
    }
    splits = experiment["splits"] and Path(experiment["splits"]).name
    return experiment | folders | {"splits": splits}
