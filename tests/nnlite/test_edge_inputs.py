"""Inputs at the edge of what is meant: empty, of another batch, after a move of parameters, out of range."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module


@pytest.mark.parametrize(
    "memory, shape",
    [
        (lambda: nn.Sequencer(nn.LSTM(3, 4)), (3,)),
        (lambda: nn.Sequencer(nn.FastLSTM(3, 4)), (3,)),
        (lambda: nn.Sequencer(nn.Recurrent(3, nn.Linear(3, 3), nn.Linear(3, 3))), (3,)),
        (lambda: nn.Sequencer(nn.ConvLSTM(1, 2, 9, 3, 3)), (1, 4, 4)),
        (lambda: nn.SeqLSTM(3, 4), (3,)),
        (lambda: nn.SeqConvLSTM(1, 2, 3), (1, 4, 4)),
    ],
)
def test_another_batch_does_not_continue_a_remembered_sequence(memory, shape):
    module = memory().remember("both")
    for batch in (4, 1):  # one of the two could be broadcast
        with pytest.raises(ValueError, match=r"does not continue .*call forget\(\) first"):
            module.forward(np.zeros((2, batch, *shape), np.float32))
            module.forward(np.zeros((2, 5 - batch, *shape), np.float32))
        module.forget()


EMPTY = [
    (lambda: nn.Linear(3, 4), (0, 3)),
    (lambda: nn.SpatialConvolution(2, 3, 3, 3), (0, 2, 5, 5)),
    (lambda: nn.SpatialFullConvolution(2, 3, 3, 3), (0, 2, 5, 5)),
    (lambda: nn.SpatialMaxPooling(2, 2), (0, 2, 4, 4)),
    (lambda: nn.SpatialZeroPadding(1), (0, 2, 4, 4)),
    (lambda: nn.LogSoftMax(), (0, 3)),
    (lambda: nn.View(-1).set_num_input_dims(2), (0, 3, 4)),
    (lambda: nn.Bottle(nn.Linear(3, 4)), (0, 2, 3)),
    (lambda: nn.Bottle(nn.Linear(3, 4)), (2, 0, 3)),
    (lambda: nn.SmoothHuberPenalty(form="isotropic"), (0, 2, 4, 4)),
    (lambda: nn.LookupTable(5, 2), (0, 3)),
    (lambda: nn.TemporalConvolution(3, 4, 2), (0, 5, 3)),
    (lambda: nn.Max(1), (0, 3)),
    (lambda: nn.L1Penalty(1, size_average=True), (0, 3)),
    (lambda: nn.MaskZero(nn.Linear(3, 4), 1), (0, 3)),
    (lambda: nn.Sequential(nn.ConcatTable(nn.Identity(), nn.Identity()), nn.DotProduct()), (0, 3)),
    (lambda: nn.Sequential(nn.ConcatTable(nn.SoftMax(), nn.Identity()), nn.MixtureTable()), (0, 3)),
    (lambda: nn.SeqLSTM(3, 4), (2, 0, 3)),
    (lambda: nn.Sequencer(nn.LSTM(3, 4)), (2, 0, 3)),
    (lambda: nn.Sequencer(nn.ConvLSTM(1, 2, 9, 3, 3)), (2, 0, 1, 4, 4)),
]


@pytest.mark.parametrize("build, shape", EMPTY)
def test_an_empty_batch_passes_through(build, shape):
    module, x = build(), np.zeros(shape, np.float32)
    y = module.forward(x)
    assert y.size == 0 and y.shape[:1] == (shape[0],)
    module.zero_grad_parameters()
    assert module.backward(x, np.ones_like(y)).shape == shape
    assert not any(grad.any() for grad in module.parameters()[1])


def test_vectors_without_an_entry_have_a_product_and_a_dimension_without_one_has_no_slices():
    x = np.zeros((2, 0), np.float32)
    dot = nn.DotProduct()
    np.testing.assert_array_equal(dot.forward([x, x]), [0, 0])
    assert dot.backward([x, x], dot.output)[0].shape == x.shape
    split = nn.SplitTable(1)
    assert split.forward(x) == [] and split.backward(x, []).shape == x.shape


@pytest.mark.parametrize(
    "build, shape, message",
    [
        (lambda: nn.BatchNormalization(3), (0, 3), "training needs at least 2 values of each feature"),
        (lambda: nn.SeqConvLSTM(1, 2, 3), (2, 0, 1, 4, 4), "input must have at least one image"),
        (lambda: nn.SeqLSTM(3, 4), (0, 2, 3), "a sequence must have at least one step"),
        (lambda: nn.SpatialZeroPadding(-2), (1, 1, 4, 4), "cropping leaves nothing"),
        (lambda: nn.Max(0), (0, 3), r"nn\.Max: nothing to choose from in dimension 0 of \(0, 3\)"),
        (lambda: nn.SoftMax(), (2, 0), r"nn\.SoftMax: input must have at least one class"),
        (lambda: nn.SpatialLogSoftMax(), (2, 0, 3, 3), "input must have at least one class"),
        (lambda: nn.Normalize(np.inf), (2, 0), r"nn\.Normalize: input must have at least one entry"),
        (lambda: nn.Mean(1), (2, 0), r"nn\.Mean: no mean of nothing, dimension 1 of \(2, 0\)"),
    ],
)
def test_an_empty_batch_that_means_nothing_is_an_error(build, shape, message):
    with pytest.raises(ValueError, match=message):
        build().forward(np.zeros(shape, np.float32))


@pytest.mark.parametrize("criterion", [nn.MSECriterion(), nn.BCECriterion(), nn.AbsCriterion()])
def test_the_loss_of_an_empty_batch_is_an_error(criterion):
    with pytest.raises(ValueError, match="input must not be empty"):
        criterion.forward(np.zeros((0, 3)), np.zeros((0, 3)))


@pytest.mark.parametrize("build", [lambda: nn.Linear(3, 4), lambda: nn.SeqLSTM(3, 4)])
def test_backward_after_get_parameters_is_right(build):
    module, x = build().double(), np.random.default_rng(0).standard_normal((5, 2, 3))
    x = x[0] if isinstance(module, nn.Linear) else x
    g = np.ones_like(module.forward(x))
    module.zero_grad_parameters()
    module.backward(x, g)
    expected = np.concatenate([grad.ravel() for grad in module.parameters()[1]])
    module.zero_grad_parameters()
    module.forward(x)
    _, gradients = module.get_parameters()
    module.backward(x, g)
    np.testing.assert_allclose(gradients, expected, rtol=1e-12)


def test_backward_of_steps_after_get_parameters_names_the_cause():
    module, x = nn.Sequencer(nn.LSTM(3, 4)), np.zeros((2, 1, 3), np.float32)
    g = module.forward(x)
    module.get_parameters()
    with pytest.raises(RuntimeError, match=r"call forward before backward \(get_parameters, share and"):
        module.backward(x, g)
    module.forward(x)
    module.get_parameters()  # moves nothing, so that nothing is forgotten
    module.backward(x, g)


@pytest.mark.parametrize("wrong", [255.0, -0.1, np.nan])
def test_bce_targets_are_probabilities(wrong):
    """Values above 1 are taken for pixels of 8 bits, and the fix is told."""
    criterion, x = nn.BCECriterion(), np.full(3, 0.5)
    with pytest.raises(ValueError, match=r"target must be in \[0, 1\], got ") as caught:
        criterion.forward(x, np.array([0.0, wrong, 1.0]))
    assert ("by 255" in str(caught.value)) == (wrong > 1)
    criterion.forward(x, np.array([0.0, 0.3, 1.0]))


@pytest.mark.parametrize("label", [2**64 - 1, 2**64 - 2, 2**63, 3])
@pytest.mark.parametrize("criterion", [nn.ClassNLLCriterion, nn.CrossEntropyCriterion])
def test_labels_beyond_int64_are_not_taken_for_ignored(criterion, label):
    """2^64 - 1 is -1 in 64 bits."""
    with pytest.raises(ValueError, match=rf"label {label} is neither in 0\.\.2 nor ignore_index"):
        criterion().forward(np.zeros((2, 3)), np.array([0, label], np.uint64))
    criterion().forward(np.zeros((2, 3)), np.array([0, 2], np.uint64))


@pytest.mark.parametrize("form", ["paper", "isotropic", "published"])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_the_penalty_takes_any_number_of_channels(form, channels):
    penalty = nn.SmoothHuberPenalty(0.3, 0.1, form=form, size_average=False).double()
    x = np.random.default_rng(0).standard_normal((channels, 4, 5))
    checks = check_module(penalty, x)
    assert max(check.error for check in checks) < 1e-6
    penalty.forward(x)
    total = penalty.value
    for channel in x:  # the channels do not know of each other
        penalty.forward(channel[None])
        total -= penalty.value
    assert abs(total) < 1e-12
