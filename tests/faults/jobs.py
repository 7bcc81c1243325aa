"""What children do: read a file in one of the formats, run a command, fork and use threads."""

import functools
import os
import sys
import threading
from pathlib import Path

import av  # noqa: F401  here, so that a child need not import it
import matplotlib.figure  # noqa: F401
import numpy as np

import nnlite as nn
from nnlite import torch7
from nnlite.data import camvid_files, hmdb51, video
from nnlite.data.clip_index import index_source
from nnlite.data.flow import read_flo
from nnlite.data.mnist import read_idx
from nnlite.data.moving_mnist_files import SequenceFile
from nnlite.data.moving_mnist_files import main as write_sequences
from nnlite.data.pictures import open_picture, rgb
from nnlite.train.ablations import __main__ as ablations
from nnlite.train.camvid import __main__ as camvid
from nnlite.train.camvid import data
from nnlite.train.camvid.experiment import LabelledVideo
from nnlite.train.inspect import __main__ as inspect
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist import evaluation, experiment, table1
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.real_video import __main__ as real_video
from nnlite.train.real_video import videos
from nnlite.train.real_video.experiment import RealVideo
from nnlite.train.runs import group
from nnlite.train.runs.experiment import reopen
from nnlite.train.runs.log import read_log
from nnlite.train.runs.run import read_result
from nnlite.train.video_ablations import __main__ as video_ablations
from nnlite.train.warping import __main__ as warping

# Less of what a tiny run computes: digits drawn once, before any fork, few statistics, few videos.
experiment.digits("drawn")
evaluation.CALIBRATION = 60
data._WEIGHTED = 4
videos.draw_videos = functools.partial(videos.draw_videos, count=4)

COMMANDS = {
    "ablations": ablations.main,
    "camvid": camvid.main,
    "inspect": inspect.main,
    "moving_mnist": moving_mnist.main,
    "real_video": real_video.main,
    "sequences": write_sequences,
    "video_ablations": video_ablations.main,
    "warping": warping.main,
}


def _torch7(path):
    found = torch7.load(path)
    if isinstance(found, torch7.TorchObject):
        try:
            torch7.to_module(found)
        except torch7.Torch7Error as error:  # it knows the object, not the file
            raise ValueError(f"{path}: {error}") from error


def _sequences(path):
    data = SequenceFile(path)
    for i in range(0, len(data), 100):
        data.batch(range(i, min(i + 100, len(data))))


def _video(path):
    for frame in video.read_frames(path):
        frame.sum()
    index_source(path, (8, 8), rate=25)


def _run(path):
    reopen(MovingDigits, Path(path))


def _result(path):
    table1.build({"run": read_result(Path(path).parent)})


def _split(path):
    folder = Path(path).parent
    hmdb51.read_split(folder / "videos", folder)


#: {kind of a seed: reader of the file}, see `seeds.py`.
READERS = {
    "t7": _torch7,
    "t7 sequences": _sequences,
    "npy": _sequences,
    "flo": read_flo,
    "idx": read_idx,
    "checkpoint": _run,
    "picture": lambda path: rgb(open_picture(path)),
    "picture folder": lambda path: list(video.read_frames(Path(path).parent)),
    "video": _video,
    "result": _result,
    "log": lambda path: read_log(Path(path).parent),
    "group": lambda path: group.results(Path(path).parent),
    "list": lambda path: camvid_files.tutorial_frames(Path(path).parent),
    "split": _split,
}


def read(kind, path):
    """Read a file; what is wrong with it goes to stderr as "type: message"."""
    try:
        READERS[kind](path)
    except MemoryError:
        os._exit(12)  # there may be too little left to say so
    except Exception as error:
        clear = isinstance(error, ValueError | OSError)
        print(f"{type(error).__name__}: {error}".replace("\n", " "), file=sys.stderr, flush=True)
        os._exit(10 if clear else 11)
    os._exit(0)  # the end of a large process takes far longer than what is tried here


def command(name, arguments, pictures=True):
    """Run a command; pictures: whether a run draws its own at the end."""
    if not pictures:
        for experiment in (MovingDigits, RealVideo, LabelledVideo):
            experiment.draw_run = lambda *_: None
    sys.exit(COMMANDS[name](arguments))


def forks(seed):
    """Compute in this process, in forked children, and in threads; the numbers have to be the same."""
    random = np.random.default_rng(seed)
    size = int(random.choice([8, 16, 32]))
    input = random.standard_normal((4, 16, size, size)).astype(np.float32)

    nn.manual_seed(seed)
    model = nn.SpatialConvolution(16, 16, 7, 7, 1, 1, 3, 3)

    def numbers(own):
        output = own.forward(input)
        return output.tobytes() + own.backward(input, output).tobytes()

    expected = numbers(model.clone())
    models = [model.clone() for _ in range(5)]
    busy = threading.Thread(target=lambda: [numbers(models[0]) for _ in range(3)])
    if random.random() < 0.5:
        busy.start()
    children = []
    for own in models[1:3]:
        child = os.fork()
        if child == 0:
            os._exit(0 if numbers(own) == expected else 1)
        children.append(child)
    found = []
    threads = [threading.Thread(target=lambda own=own: found.append(numbers(own))) for own in models[3:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if busy.ident:
        busy.join()
    statuses = [os.waitpid(child, 0)[1] for child in children]
    print("children", statuses, "threads", [got == expected for got in found], file=sys.stderr)
    sys.exit(0 if found == [expected] * 2 and statuses == [0, 0] else 1)


JOBS = {"read": read, "command": command, "forks": forks}
