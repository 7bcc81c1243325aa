"""The paper's architectures: counts, options, shapes, initial values, files."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import checkpoint, models
from tests.recurrent_golden import noise
from tests.toy_models import KINDS, PREDICT_EVERY_STEP, SMALL, build, frames, gradients

COUNTS = {
    "ae_conv": 109_073,
    "ae_fclstm": 33_623_649,
    "ae_convlstm": 1_256_305,
    "ae_convlstm_flow": 1_035_067,
}


# ---- names, counts, options ---------------------------------------------------------------------------


def test_names():
    assert models.names() == list(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_table_1_counts(name):
    model = models.build(name)
    assert models.count_parameters(model) == COUNTS[name]
    assert model.config == {"name": name, "options": {}}
    assert {weight.dtype for weight in model.parameters()[0]} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "name, memories", [("ae_convlstm", [(16, 64), (64, 16)]), ("ae_convlstm_flow", [(16, 64)])]
)
def test_untied_adds_the_first_steps_input_convolutions(name, memories):
    first_step = sum(3 * (n_in * 49 + 1) * n_out for n_in, n_out in memories)
    assert models.count_parameters(models.build(name, untied=True)) == COUNTS[name] + first_step


def test_unknown_name():
    with pytest.raises(
        ValueError, match="unknown model 'ae'; choose from ae_conv, ae_fclstm, ae_convlstm, ae_"
    ):
        models.build("ae")


@pytest.mark.parametrize("name", COUNTS)
def test_unknown_option(name):
    with pytest.raises(TypeError, match="n_memories"):
        models.build(name, n_memories=3)


@pytest.mark.parametrize("name", COUNTS)
def test_bad_options(name):
    wanted = "multiples of 4" if name == "ae_fclstm" else "even"
    for height, width in [(33, 32), (32, 33), (0, 32)]:
        with pytest.raises(ValueError, match=f"height and width must be {wanted}, got {height}x{width}"):
            models.build(name, height=height, width=width, n_memory=4)
    with pytest.raises(ValueError, match="kernels must be odd to keep the map size, got 4"):
        models.build(name, height=8, width=8, n_memory=4, kernel=4)
    with pytest.raises(ValueError, match="output must be 'sigmoid' or 'linear', got 'tanh'"):
        models.build(name, height=8, width=8, n_memory=4, output="tanh")


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("option", ["n_features", "n_memory", "n_channels"])
@pytest.mark.parametrize("value", [0, -2, 2.5, "a"])
def test_numbers_that_cannot_be(name, option, value):
    own = {"height": 16, "width": 16, "n_features": 3, "n_memory": 4, "kernel": 3}
    with pytest.raises(ValueError, match=r"nn\.\w+: \w+ must be .*integer.*, got "):
        models.build(name, **own | {option: value})


@pytest.mark.parametrize("name", ["ae_convlstm", "ae_convlstm_flow"])
@pytest.mark.parametrize("untied", ["False", 0, None])
def test_untied_is_true_or_false(name, untied):
    with pytest.raises(TypeError, match=f"untied must be True or False, got {untied!r}"):
        models.build(name, height=16, width=16, n_memory=4, untied=untied)


def test_option_names():
    sizes = ["height", "width", "n_channels", "n_frames"]
    assert models.option_names("ae_conv") == [*sizes, "n_features", "n_memory", "kernel", "output"]


def test_fully_connected_memory_needs_multiples_of_4():
    with pytest.raises(ValueError, match=r"nn\.AEFcLSTM: height and width must be multiples of 4, got 34x32"):
        models.build("ae_fclstm", height=34, width=32, n_memory=4)


@pytest.mark.parametrize("cell", [2, 6, 12, 32])
def test_cells_must_divide_the_frame(cell):
    with pytest.raises(
        ValueError, match=f"multiple of 4 that divides height and width, got {cell} for 16x32"
    ):
        models.build("ae_fclstm", height=16, width=32, n_memory=8, cell=cell)


@pytest.mark.parametrize("cell", [0, -8, 8.0, "8", True])
def test_cells_are_whole_pixels(cell):
    with pytest.raises(ValueError, match=f"cell must be an integer >= 1, got {cell!r}"):
        models.build("ae_fclstm", cell=cell)


@pytest.mark.parametrize("n_memory", [1, 9])
def test_memory_must_spread_over_the_cells(n_memory):
    with pytest.raises(ValueError, match=f"multiple of 2, the number of cells, got {n_memory}"):
        models.build("ae_fclstm", height=16, width=8, n_memory=n_memory, cell=8)


@KINDS
def test_bad_input(kind):
    model = build(kind)
    with pytest.raises(
        ValueError, match=r"nn\.AE\w+: input must have 5 dimensions, got shape \(2, 1, 16, 8\)"
    ):
        model.forward(frames(2, 1, 16, 8))
    with pytest.raises(ValueError, match=r"nn\.AE\w+: input must have size 1 in dimension -3"):
        model.forward(frames(3, 2, 3, 16, 8))
    with pytest.raises(ValueError, match=r"nn\.AE\w+: input must have size 16 in dimension -2"):
        model.forward(frames(3, 2, 1, 8, 8))
    with pytest.raises(TypeError, match=r"nn\.AE\w+: input must be float64, got float32"):
        model.forward(frames(3, 2, 1, 16, 8, dtype=np.float32))


def test_the_convolutional_model_takes_its_number_of_frames():
    with pytest.raises(ValueError, match=r"nn\.AEConv: input must have size 3 in dimension -5"):
        build("ae_conv").forward(frames(4, 2, 1, 16, 8))


# ---- shapes and initial values ------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("n_channels, n", [(1, 2), (3, 1)], ids=["grey", "RGB"])
def test_shapes(kind, n_channels, n):
    model = build(kind, n_channels=n_channels)
    x = frames(3, n, n_channels, 16, 8)
    y = model.forward(x)
    assert y.shape == (1 if kind == "ae_conv" else 3, n, n_channels, 16, 8)
    assert (y > 0).all() and (y < 1).all()
    assert model.backward(x, noise(*y.shape)).shape == x.shape


@PREDICT_EVERY_STEP
def test_any_number_of_frames(kind):
    model = build(kind)
    for steps in (1, 5, 2):
        assert model.forward(frames(steps, 2, 1, 16, 8)).shape == (steps, 2, 1, 16, 8)


@KINDS
def test_linear_output(kind):
    model = build(kind, output="linear")
    model.find_modules("SpatialConvolution")[-1].weight *= 100
    y = model.forward(noise(3, 2, 1, 16, 8))
    assert (y < 0).any() and (y > 1).any()


@pytest.mark.parametrize("name, options", [("ae_conv", {}), ("ae_fclstm", {}), ("ae_convlstm", {})])
def test_convolutions_start_as_glorot_says(name, options):
    model = models.build(name, height=16, width=16, n_memory=64, **options)
    checked = 0
    for layer in [*model.encoder.list_modules(), *model.decoder.list_modules()]:
        if isinstance(layer, nn.SpatialConvolution | nn.Linear):
            area = 49 if isinstance(layer, nn.SpatialConvolution) else 1
            bound = np.sqrt(6 / (area * (layer.n_in + layer.n_out)))
            assert 0.95 * bound < abs(layer.weight).max() <= 1.0001 * bound
            assert not layer.bias.any()
            checked += 1
    assert checked == (6 if name == "ae_fclstm" else 2)


@pytest.mark.parametrize("kind", [kind for kind in SMALL if kind != "ae_conv"])
@pytest.mark.parametrize("forget_bias", [1.0, 0.0])
def test_memories_start_as_section_4_says(kind, forget_bias):
    name, own = SMALL[kind]
    model = models.build(name, height=8, width=8, n_features=4, n_memory=8, forget_bias=forget_bias, **own)
    biases = []
    for path, weight, _ in model.memory.named_parameters():
        if path.endswith("weight"):
            assert 0.07 < abs(weight).max() <= 0.08, path
        elif path.endswith("i2g.bias"):
            biases.append(weight.reshape(4, -1))
        else:
            assert (weight == (forget_bias if "forget_gate" in path else 0)).all(), path
    for rows in biases:
        np.testing.assert_array_equal(rows, np.outer([0, 0, forget_bias, 0], np.ones(rows.shape[1])))


# ---- files --------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("save", [checkpoint.save, checkpoint.save_parameters])
def test_checkpoint_gives_the_same_predictions(kind, save, tmp_path):
    model, x = build(kind).float(), frames(3, 2, 1, 16, 8, dtype=np.float32)
    y = model.forward(x).copy()
    save(tmp_path / "model.h5", model, architecture=model.config)
    saved = checkpoint.load(tmp_path / "model.h5")
    twin = models.build(saved.architecture["name"], **saved.architecture["options"])
    assert not np.array_equal(twin.forward(x), y)
    checkpoint.load_parameters(twin, saved)
    np.testing.assert_array_equal(twin.forward(x), y)


def test_pretrained_weights_of_nothing_known(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "PRETRAINED", tmp_path)
    checkpoint.save(tmp_path / "ae_conv.h5", nn.Linear(2, 3))
    with pytest.raises(
        ValueError, match=r"ae_conv\.h5 does not contain the options of its model; pack the weights"
    ):
        models.load_pretrained("ae_conv")


@KINDS
def test_a_clone_shares_nothing_and_predicts_the_same(kind):
    model, x = build(kind), frames(3, 2, 1, 16, 8)
    y = model.forward(x).copy()
    twin = model.clone()
    np.testing.assert_array_equal(twin.forward(x), y)
    g = noise(*y.shape)
    mine, its = gradients(model, x, g), gradients(twin, x, g)
    for path, grad in mine.items():
        np.testing.assert_array_equal(its[path], grad, err_msg=path)
    for weight in twin.parameters()[0]:
        weight.fill(0)
    np.testing.assert_array_equal(model.forward(x), y)
