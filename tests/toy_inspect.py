"""Small checkpoints of every architecture, for the tests of the microscope."""

import base64
import json
import zlib

import numpy as np

import nnlite as nn
from nnlite import checkpoint, models
from nnlite.train.runs.experiment import experiment_type

SMALL = {"height": 32, "width": 32, "kernel": 3, "n_features": 3}
VIDEO = {"n_features": 3, "n_memory": 4, "kernel": 3, "flow_kernel": 3}
OPTIONS = {
    "ae_conv": SMALL | {"n_frames": 4, "n_memory": 4},
    "ae_fclstm": SMALL | {"n_memory": 12},
    "ae_convlstm": SMALL | {"n_memory": 4},
    "ae_convlstm_flow": SMALL | VIDEO,
    "segnet": SMALL | {"n_classes": 6},
    "segnet_flow": SMALL | {"n_classes": 6, "video": VIDEO},
}
#: How many frames each of them sees in these tests.
STEPS = 4


def save(path, name, metadata=None, **options):
    """Write a checkpoint with weights none of which is zero, so that gradients flow; return its path."""
    nn.manual_seed(7)
    model = models.build(name, **OPTIONS[name] | options)
    rng = np.random.default_rng(7)
    for weight in model.parameters()[0]:
        weight += 0.02 * rng.standard_normal(weight.shape).astype(np.float32)
    architecture = {"name": name, "options": model.config["options"]}
    checkpoint.save_parameters(path, model, architecture=architecture, metadata=metadata)
    return path


def run_metadata(kind, **given):
    """Return the metadata of the checkpoint of a run with these options."""
    settings = experiment_type(kind).plan(given)
    kept = {part: settings.kept(part) for part in ("experiment", "loop")}
    return {"kind": kind, "commands": ["train"], **kept}


def content_of(page):
    """Return the JSON in a page, as text, and the pictures, as base64."""
    text = page.read_text(encoding="utf-8")
    data = text.split('id="data">')[1].split("</script>")[0]
    pictures = text.split('id="pictures">')[1].split("</script>")[0]
    return data, pictures


def stored(page):
    """Return the content of a page and the bytes of its pictures."""
    data, pictures = content_of(page)
    return json.loads(data), zlib.decompress(base64.b64decode(pictures))
