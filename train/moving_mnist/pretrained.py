"""The models that come with the package, scored again on test digits."""

from nnlite.files import make_folder
from nnlite.train.moving_mnist import ahead, table1
from nnlite.train.moving_mnist.trained import of_table1
from nnlite.train.runs import command, processes
from nnlite.train.runs.experiment import PRETRAINED, load_trained


def evaluate(experiment, given, line):
    """Score a checkpoint, or all pretrained models; with `out` also write the results there; return 0."""
    if given["evaluate"] != PRETRAINED:
        return command.evaluate(experiment, given, line)
    processes.current().require_one("--evaluate pretrained")
    if results := {
        name: _score_again(experiment, path, given) for name, path in of_table1(experiment).items()
    }:
        table = table1.build(results)
        print("\n" + table1.format_table(table))
        if "out" in given:
            table1.save(make_folder(given["out"]), table)
    print("\nTen frames from their own predictions\n")
    return ahead.show(experiment, given | {"rollout": PRETRAINED}, line)


def _score_again(experiment, path, given):
    """Return the result of a pretrained model's training with its current scores."""
    opened, model, saved = load_trained(experiment, path, given)
    recorded = saved.metadata["result"]
    print(opened.describe(model))
    found = opened.score(model)
    now, then = found["scores"]["bce"]["last"], recorded["scores"]["bce"]["last"]
    print(f"error {now:.6f}, recorded with the weights {then:.6f}", flush=True)
    # Training time, hardware and curve are those of the training.
    found |= {"commands": saved.metadata["commands"], "hardware": recorded["hardware"]}
    count = saved.metadata["experiment"]["test_sequences"]
    return {"watched": table1.validation_subset(count)} | recorded | found
