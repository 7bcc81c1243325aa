"""Checks that two processes make together; run by mpiexec, which `test_processes.py` does once for all.

python -m tests.mpi.checks FOLDER     prints {check: "" or what went wrong} as JSON
"""

import json
import sys
import time
import traceback
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np

import nnlite as nn
from nnlite import backend, checkpoint
from nnlite.finite_differences import numeric_gradient
from nnlite.ops import threads
from nnlite.train.camvid import evaluation as camvid
from nnlite.train.moving_mnist import evaluation as moving_mnist
from nnlite.train.moving_mnist import rollout
from nnlite.train.real_video import scores as real_video
from nnlite.train.runs import local_share, processes
from nnlite.train.runs.loop import CHECKPOINT
from tests import cupy_double
from tests.mpi import toys
from tests.mpi.nccl import Nccl
from tests.toy_training import outcome


def raised(kind, function, match):
    """Assert that function() raises an error of this kind with such words in it."""
    try:
        function()
    except kind as error:
        assert match in str(error), error
        return error
    raise AssertionError(f"no {kind.__name__}")


def alone(function):
    """Return function() as a process without others computes it."""
    with processes.alone():
        return function()


# ---- the group ---------------------------------------------------------------------------------------


def check_work_is_shared_and_put_in_order(group, folder):
    assert group.size == 2 and group.leader == (group.rank == 0)
    batch = list(range(5))
    assert group.gather(batch[group.share(5)]) == [[0, 1], [2, 3, 4]]
    assert group.collect([10 * item for item in group.own(batch)]) == [0, 10, 20, 30, 40]


def check_sums(group, folder):
    size = processes.CHUNK + 3
    array = np.full(size, group.rank + 1, np.float32)
    group.sum_in_place(array)
    assert (array == 3).all() and array.size == size
    third = group.sum(np.array([1 / 3 if group.rank else 1e-17]))
    assert group.gather(third.tobytes())[0] == third.tobytes() and third[0] == 1 / 3 + 1e-17
    assert np.isnan(group.gather(group.sum(np.array([np.nan if group.rank else 1.0])))).all()
    assert processes.add_up(group.gather({"a": 1, group.rank: 2})) == {"a": 2, 0: 2, 1: 2}


def check_an_error_of_one_is_one_of_all(group, folder):
    def together():
        with group.together():
            if group.rank == 1:
                raise OSError(5, "no such cable", "the cable")

    def leader_does():
        raise ValueError("of the leader")

    error = raised(OSError, together, "no such cable")
    assert (error.errno, error.filename) == (5, "the cable")
    assert group.failed("", 3) == 3  # all know of it: nobody is ended
    raised(ValueError, lambda: group.leader_does(leader_does), "of the leader")
    assert group.failed("", 2) == 2
    assert group.leader_does(lambda: 5) == (5 if group.leader else None)
    assert group.from_leader(lambda: group.rank) == 0


def check_cores_are_divided(group, folder):
    assert sum(group.gather(threads.get_num_threads())) <= max(2, local_share.available_cores())


# ---- training ----------------------------------------------------------------------------------------


def equal_losses(group, folder, tolerance, make, steps=20, **options):
    """Assert that two processes have the losses of one, all of them the same parameters."""
    run = make(folder, **options)
    together, one = toys.losses(run, steps), toys.losses(alone(lambda: make(folder, **options)), steps)
    np.testing.assert_allclose(together, one, rtol=tolerance, atol=tolerance)
    assert together[0, 0] != together[-1, 0]
    assert len(set(group.gather(run.parameters.tobytes()))) == 1


def flow(folder, **options):
    return toys.trainer(folder, toys.predictor(), flow_warmup=20, **options)


def segnet(folder, **options):
    return toys.trainer(folder, toys.segmenter(), make_batch=toys.labelled, **options)


def check_losses_in_float32(group, folder):
    equal_losses(group, folder, 1e-5, flow)


def check_losses_in_float64(group, folder):
    equal_losses(group, folder, 1e-11, flow, dtype=np.float64)


def check_losses_of_muon(group, folder):
    equal_losses(group, folder, 1e-11, flow, 5, dtype=np.float64, optimiser="muon")


def check_losses_with_synchronised_statistics(group, folder):
    equal_losses(group, folder, 1e-5, segnet, 3, batch_statistics="synchronised")
    options = {"batch_statistics": "synchronised", "dtype": np.float64}
    equal_losses(group, folder, 1e-11, segnet, 3, **options)


def check_own_statistics_differ_and_are_averaged(group, folder):
    run, one = segnet(folder), alone(lambda: segnet(folder))
    assert abs(toys.losses(run, 2) - toys.losses(one, 2)).max() > 1e-6
    buffers = np.concatenate([buffer.ravel() for _, buffer in run.model.named_buffers()])
    assert len(set(group.gather(buffers.tobytes()))) == 1
    means = [dict(r.model.named_buffers()) for r in (run, one)]
    name = "encoder.0.1.running_mean"
    np.testing.assert_allclose(means[0][name], means[1][name], rtol=0.02)


def check_resumed_to_the_bit(group, folder):
    def run(name, sequences, saved=None):
        run = toys.trainer(folder / name, toys.predictor("noisy"), sequences=sequences, dtype=np.float64)
        if saved:
            run.restore(saved)
        run.run()
        assert len(set(group.gather(run.parameters.tobytes()))) == 1
        return group.from_leader(lambda: outcome(folder / name))

    whole, half = run("whole", 20), run("broken", 10)
    saved = checkpoint.load(folder / "broken" / CHECKPOINT)
    keys = [saved.random[name]["key"].tobytes() for name in ("default", "process 1")]
    assert keys[0] != keys[1]
    assert run("broken", 20, saved) == whole != half
    one = alone(lambda: toys.trainer(folder / f"one {group.rank}", toys.predictor("noisy"), sequences=20))
    one.restore(saved)  # by a single process, which goes on with the first generator
    assert one.run() is None and one.step == 4


def check_replicas_that_have_drifted_are_made_equal(group, folder):
    run = flow(folder)
    run.train_step()
    run.parameters += 1e-6 * group.rank
    run.state["m"] += 1e-6 * group.rank
    run.save()
    for array in (run.parameters, run.state["m"]):
        assert len(set(group.gather(array.tobytes()))) == 1


def check_divergence_of_one_leaves_the_last_good_checkpoint(group, folder):
    def make_batch(step, indices, share=slice(0, None)):
        if step == 3 and group.rank == 1:
            run.parameters.fill(np.nan)
        return toys.frames(step, indices, share)

    run = toys.trainer(folder, toys.predictor("ae_convlstm"), save_every=0)
    run.make_batch = run.replicas.making(make_batch)
    raised(FloatingPointError, run.run, "diverged after 3 steps: predictions became nan")
    assert group.failed("", 1) == 1
    assert group.from_leader(lambda: checkpoint.load(folder / CHECKPOINT).position["step"]) == 2
    assert not list(folder.glob(".*previous"))


def check_small_batches_are_refused(group, folder):
    raised(ValueError, lambda: flow(folder, batch=1), "--batch 1 is less than one sequence for each of 2")


# ---- batch normalisation -----------------------------------------------------------------------------


def check_gradient_of_synchronised_statistics(group, folder):
    """Finite differences of the loss of both processes, for every entry of input, weight and bias."""
    random = np.random.default_rng(0)
    whole = random.standard_normal((3, 2, 2, 1))
    factors = random.standard_normal(whole.shape)
    module = nn.SpatialBatchNormalization(2).type(np.float64)
    module.synchronise(group.sum)
    share = group.share(3)
    input, factor = whole[share].copy(), factors[share]
    reference = nn.SpatialBatchNormalization(2).type(np.float64)
    for name in ("weight", "bias"):
        getattr(module, name)[...] = getattr(reference, name)[...] = random.standard_normal(2)
    output = module.forward(input)
    np.testing.assert_allclose(output, reference.forward(whole)[share], rtol=1e-12, atol=1e-12)
    for name in module.buffer_names:
        np.testing.assert_allclose(getattr(module, name), getattr(reference, name), rtol=1e-12)
    grad_input = module.backward(input, factor)
    np.testing.assert_allclose(grad_input, reference.backward(whole, factors)[share], rtol=1e-9, atol=1e-12)
    parts = module.update_grad_input(input, factor)  # each pass on its own
    np.testing.assert_array_equal(parts, grad_input)

    def loss():
        return group.sum(np.array([(module.forward(input) * factor).sum()]))[0]

    shapes = group.gather(input.shape)
    for rank, shape in enumerate(shapes):  # the entries of one process move while the other only takes part
        moved = input if rank == group.rank else np.zeros(shape)
        for place in list(np.ndindex(shape))[::3]:
            numeric = numeric_gradient(loss, moved, place)
            if rank == group.rank:
                np.testing.assert_allclose(grad_input[place], numeric, rtol=1e-6, atol=1e-9)
    for name in ("weight", "bias"):
        grad = group.sum(getattr(module, f"grad_{name}"))
        np.testing.assert_allclose(grad, numeric_gradient(loss, getattr(module, name)), rtol=1e-6, atol=1e-9)


# ---- scores ------------------------------------------------------------------------------------------


def check_scores_are_those_of_one(group, folder):
    model, network = toys.predictor(), toys.segmenter()

    def scores():
        return (
            moving_mnist.evaluate(model, Sequences(), 7, 2),
            rollout.errors({"m": model}, Sequences(), 2, 2, 25),
            real_video.model_errors(model, Sequences(), range(9)).tolist(),
            camvid.evaluate(network, Shapes(), 5, 2, ("a", "b", "c")),
        )

    same(scores(), alone(scores))


class Sequences:
    """Numbered frames (4, N, 1, 8, 8)."""

    def batch(self, indices):
        before, after = (x.astype(np.float32) for x in toys.frames(0, list(indices)))
        return SimpleNamespace(frames=np.concatenate([before, after[-1:]]))


class Shapes:
    """Labelled pictures as `camvid.evaluate` takes them."""

    def batch(self, indices):
        pictures, labels = toys.labelled(0, list(indices))
        labels = labels[None]
        names = ("visible_labels", "withheld_labels", "true_labels")
        return SimpleNamespace(frames=pictures[None], **dict.fromkeys(names, labels))


def same(found, expected):
    """Compare nested dicts and lists of numbers."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in expected:
            same(found[name], expected[name])
    elif isinstance(expected, list | tuple):
        for pair in zip(found, expected, strict=True):
            same(*pair)
    elif expected is None or isinstance(expected, str):
        assert found == expected
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-12)


# ---- GPUs --------------------------------------------------------------------------------------------


def on_gpus(group, folder, devices):
    """Return the losses of steps on the double of a GPU, with the synchronisations of the last of them."""
    with cupy_double.installed() as waits:
        cupy = backend.array_module("cuda")
        cupy.cuda.runtime.getDeviceCount = lambda: devices
        with mock.patch.object(cupy.cuda, "nccl", Nccl(group.comm), create=True):
            with mock.patch.dict(sys.modules, {"cupy.cuda": cupy.cuda}):
                assert local_share.resolve_device("cuda") == "cuda"
                assert (group.nccl is None) == (devices == 1)
                assert cupy.cuda.Device().id == (group.rank if devices > 1 else 0)
                run = toys.trainer(folder, toys.predictor("ae_conv"), device="cuda", log_every=100)
                run.train_step()
                waits.clear()
                found = toys.losses(run, 3) if devices == 1 else [run.train_step() for _ in range(3)]
                waited = list(waits)
                assert len(set(group.gather(run.parameters.get().tobytes()))) == 1
                result = run.parameters.get(), found, waited
    group.nccl, group.devices = None, set()
    return result


def check_one_gpu_for_both_goes_through_the_host(group, folder):
    one = alone(lambda: toys.trainer(folder, toys.predictor("ae_conv")))
    toys.losses(one, 4)
    parameters, _, waited = on_gpus(group, folder, 1)
    np.testing.assert_allclose(parameters, one.parameters, rtol=1e-4, atol=1e-5)
    assert waited


def check_a_gpu_each_uses_nccl_and_waits_for_nothing(group, folder):
    one = alone(lambda: toys.trainer(folder, toys.predictor("ae_conv")))
    toys.losses(one, 4)
    parameters, _, waited = on_gpus(group, folder, 2)
    np.testing.assert_allclose(parameters, one.parameters, rtol=1e-4, atol=1e-5)
    assert waited == []


CHECKS = {
    name.removeprefix("check_"): function for name, function in globals().items() if name.startswith("check_")
}


def main(folder):
    """Make all checks; print what went wrong in which process."""
    found = {}
    with processes.joined() as group:
        local_share.take_cores(group)
        for name, check in CHECKS.items():
            own = ""
            began = time.monotonic()
            try:
                place = Path(folder) / name
                group.leader_does(lambda place=place: place.mkdir())
                check(group, place)
            except Exception:
                own = traceback.format_exc()
                if group.size > 1 and not group._agreed:
                    raise  # the other process waits for this one
            if group.leader:
                print(f"{name}: {time.monotonic() - began:.2f} s", file=sys.stderr)
            found[name] = "\n".join(group.gather(own)).strip()
        if group.leader:
            print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
