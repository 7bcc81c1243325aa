"""How long `--preset paper` of every experiment takes to its end: its steps times the time of one."""

import tempfile
from dataclasses import fields, replace

import numpy as np

from nnlite import backend, table
from nnlite.benchmarks.gpu.kernels import seconds_of
from nnlite.criterion import Criterion
from nnlite.train.camvid.experiment import LabelledVideo
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.real_video.experiment import RealVideo
from nnlite.train.runs.loop import Trainer
from nnlite.train.runs.loop_options import LoopOptions

#: The experiments that have the preset, and the models of each.
RUNS = {
    MovingDigits: ("ae_convlstm_flow", "ae_convlstm", "ae_fclstm", "ae_conv"),
    RealVideo: ("ae_convlstm_flow",),
    LabelledVideo: ("segnet", "segnet_flow"),
}


class _Sum(Criterion):
    """The sum of the output, for a step without data."""

    def update_output(self, input, target):
        self.output = sum(x.sum() for x in table.leaves(input))
        return self.output

    def update_grad_input(self, input, target):
        xp = backend.get_array_module(table.leaves(input)[0])
        self.grad_input = table.map(lambda x: xp.full_like(x, 1), input)
        return self.grad_input


def pieces(toy):
    """Yield (name, function that returns its row) of every run; in toy sizes two, of the preset tiny."""
    for experiment, names in RUNS.items():
        for model in names[-1:] if toy else names:
            preset = "tiny" if toy else "paper"
            command = f"python -m train.{experiment.kind} --model {model} --preset {preset}"
            yield command, lambda _, of=(experiment, model, preset): _row(*of)


def _row(experiment_type, model, preset):
    given = {"preset": preset, "batch": 1, "device": "cuda"}
    if experiment_type is not RealVideo:  # which has one model
        given["model"] = model
    if experiment_type is LabelledVideo and preset == "paper":
        given["data"] = "CamVid"  # for the number of classes; it is not read
    settings = experiment_type.plan(given)
    experiment = experiment_type(settings)
    built, (length, batch, channels, *size) = experiment.build_model("cuda"), experiment.batch_shape
    if experiment_type is not LabelledVideo:  # the last frame is only predicted
        length -= 1
    shape = length, batch, channels, *(getattr(settings, "crop", None) or size)
    frames = backend.asarray(np.random.default_rng(0).random(shape, np.float32), device="cuda")
    options = LoopOptions(**{one.name: getattr(settings, one.name) for one in fields(LoopOptions)})
    graph = preset == "paper" and "cuda_graph" not in experiment_type.not_offered
    options = replace(options, cuda_graph=graph, tf32=preset == "paper", flow_warmup=0)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(built, _Sum(), lambda *_: (frames, frames), options, folder, epoch=1)
        seconds = seconds_of(trainer.train_step)
    steps = settings.sequences // settings.batch
    return {"shape": list(shape), "seconds": seconds, "steps": steps, "hours": steps * seconds / 3600}
