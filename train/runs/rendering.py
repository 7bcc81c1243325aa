"""The mode --predict: a video rendered with a trained model."""

from pathlib import Path

from nnlite.train.runs.experiment import load_trained


def rendering(render, kept):
    """Return the function that does the mode --predict; that returns the exit status.

    render: a function of the model, its settings, the video, the file to write and, if it is given, where to
    keep what the option `kept` names. ValueError where the video would replace itself.
    """

    def predict_video(experiment, given, line):
        path, video = given["predict"]
        opened, model, _ = load_trained(experiment, path, given)
        out = Path(given.get("out", f"runs/predictions/{Path(video).stem}.mp4"))
        if out.exists() and Path(video).exists() and out.samefile(video):
            raise ValueError(f"--out {out} is the video to predict itself; name another file")
        render(model, opened.settings, video, out, given.get(kept))
        return 0

    return predict_video
