"""Train AE-ConvLSTM-flow on real video, and see what it predicts of any video (section 5.1, Figure 6).

    python -m train.real_video                              the videos below NNLITE_DATA, else drawn ones
    python -m train.real_video --videos DIR [--test DIR]    any folders of video files or of pictures
    python -m train.real_video --preset paper --videos HMDB51 --splits SPLITS
    python -m train.real_video --resume RUN                 go on where a run was stopped
    python -m train.real_video --evaluate CHECKPOINT        score a trained model
    python -m train.real_video --predict CHECKPOINT VIDEO   render predictions, flow and errors of a video

The model and its loss, eq. 4, are the paper's: the squared error summed over the pixels, plus the Huber
penalty of the flow with the weight 0.01. Its output is linear, and 0 stands for middle grey.

A run folder gets checkpoint.h5, log.jsonl, result.json, curves.png, figure6.png, prediction.mp4 and
inspect.html.
"""

import sys
import time
from pathlib import Path

from nnlite.data.video import frames, video_info
from nnlite.data.video_writer import write_video
from nnlite.train.real_video.experiment import describe, find_videos, load_trained, usual_folders
from nnlite.train.real_video.figures import panels
from nnlite.train.real_video.prediction import Tally, flow_writer, predict_stream
from nnlite.train.real_video.run import Run, TestClips
from nnlite.train.real_video.scores import format_tables
from nnlite.train.real_video.settings import settle
from nnlite.train.report import report
from nnlite.train.report.anonymise import portable_command
from nnlite.train.runs import command as command_line
from nnlite.train.runs.run import RESULT, now
from nnlite.train.warping.report import psnr
from tqdm import tqdm

PROGRAM = "python -m train.real_video"
NO_VIDEO = "none"


def main(argv=None):
    """Run the command; return its exit status."""
    modes = {"train": train, "resume": resume, "evaluate": evaluate, "predict": predict}
    return command_line.run(PROGRAM, settle, modes, argv)


def train(settings, command):
    """Train a model; return the exit status."""
    began = time.monotonic()
    # Absolute, for the run may be resumed from elsewhere.
    folders = {
        name: [str(Path(folder).resolve()) for folder in settings[name]]
        for name in ("videos", "test")
        if settings[name]
    }
    if settings["splits"]:
        folders["splits"] = str(Path(settings["splits"]).resolve())
    run = Run.new({**settings, "videos": usual_folders(), **folders}, command)
    return _to_the_end(run, began, settings["render"])


def resume(settings, command):
    """Go on with a run; return the exit status."""
    began = time.monotonic()
    return _to_the_end(Run.resumed(settings, command), began, settings.get("render"))


def _to_the_end(run, began, video):
    status = run.to_the_end(began, command_line.go_on(PROGRAM, run.folder))
    if status == 0 and video != NO_VIDEO:
        video = video or run.test.source_that_moves_most(run.result)
        render(run.whole, run.experiment, video, run.folder / "prediction.mp4")
    return status


def evaluate(settings, command):
    """Score a checkpoint; with `out` also write results and Figure 6 there."""
    path = Path(settings["evaluate"])
    model, saved = load_trained(path, settings)
    experiment = saved.metadata["experiment"]
    print(describe(model, experiment))
    test = TestClips(find_videos(experiment, path.parent)[1], experiment)
    result = test.score(model, experiment)
    print("\n" + format_tables(result))
    if "out" in settings:
        folder = Path(settings["out"])
        folder.mkdir(parents=True, exist_ok=True)
        test.draw(folder / "figure6.png", model)
        commands = [portable_command(line) for line in [*saved.metadata["commands"], command]]
        report.write_json(folder / RESULT, result | {"commands": commands, "finished": now()})
    return 0


def predict(settings, _):
    """Render a video with a trained model, and write its flow if asked to; return the exit status."""
    path, video = settings["predict"]
    model, saved = load_trained(path, settings)
    out = Path(settings.get("out", f"runs/predictions/{Path(video).stem}.mp4"))
    experiment = saved.metadata["experiment"]
    experiment["rate"] = settings.get("rate", experiment["rate"])
    render(model, experiment, video, out, settings.get("save_flow"))
    return 0


def render(model, experiment, video, out, save_flow=None):
    """Write the video `out` of what the model predicts of `video`, in constant memory; print the errors.

    The frames are resized to those that the model learned from, and taken at the same rate.
    """
    size, rate = tuple(experiment["size"]), experiment["rate"] or None
    info = video_info(video)
    count = info.frames and (round(info.frames * rate / info.rate) if rate else info.frames)
    rate = rate or info.rate
    source = frames(video, size, experiment["colour"], experiment["rate"] or None)
    stream = predict_stream(model, tqdm(source, "predicting", count, unit=" frames"))
    out.parent.mkdir(parents=True, exist_ok=True)
    tally = Tally(video)
    if save_flow:
        about = {
            "video": Path(video).name,
            "frames a second": rate,
            "size of the video": (info.height, info.width),
        }
        about["unit"] = "(u, v) in pixels of the frames given to the model, from frame k to k + 1"
        with flow_writer(save_flow, about) as write:
            write_video(out, panels(tally.compared(_written(stream, write))), rate)
    else:
        write_video(out, panels(tally.compared(stream)), rate)
    model_error, copy_error = tally.errors
    height, width = size
    print(
        f"{Path(video).name}, {tally.frames} frames of {info.width}x{info.height}, resized to "
        f"{width}x{height} pixels: PSNR {psnr(model_error):.1f} dB, of the last frame copied "
        f"{psnr(copy_error):.1f} dB"
    )
    print(f"The video is {out}" + (f", the flow {save_flow}" if save_flow else ""))


def _written(stream, write):
    """Yield what `predict_stream` yields, having written each flow."""
    for entry in stream:
        write(entry[2])
        yield entry


if __name__ == "__main__":
    sys.exit(main())
