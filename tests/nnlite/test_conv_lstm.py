"""ConvLSTM and UntiedConvLSTM: recorded vectors, eq. 1, gradients through time, the published demo model."""

import numpy as np
import pytest
from scipy.signal import correlate2d

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from tests import golden_cases as golden
from tests.recurrent_golden import back_steps, check_sequences, noise, run_steps

CLASSES = {"ConvLSTM": nn.ConvLSTM, "UntiedConvLSTM": nn.UntiedConvLSTM}
STEP_BY_STEP = [
    f"{name}_{case}"
    for name in CLASSES
    for case in (
        "kc3_km3",
        "kc3_km3_batch2",
        "kc3_km3_default_init",
        "kc3_km3_initBias_0.5_-0.25",
        "kc3_km3_initBias_default",
        "kc5_km7",
        "kc5_km7_batch2",
    )
]
SEQUENCES = [f"{name}_kc3_km3_Sequencer_both_2seq{forget}" for name in CLASSES for forget in ("", "_forget")]
DEMO = ["demo_model_opt_untied_false", "demo_model_opt_untied_true"]
COUNTS = "UntiedConvLSTM_zeroGrad_getParameters"
GOLDEN = [*STEP_BY_STEP, *SEQUENCES, COUNTS, *DEMO]

BUILD = pytest.mark.parametrize("build", CLASSES.values(), ids=CLASSES)


def build_case(case):
    recorded = golden.load("d_convlstm", case)
    module = CLASSES[case.split("_")[0]](*recorded["attrs"]["args"]).double()
    golden.set_parameters(module, recorded["params"])
    return module, recorded


@pytest.mark.parametrize("case", STEP_BY_STEP)
def test_matches_torch7(case):
    module, recorded = build_case(case)
    x = recorded["input"]
    golden.assert_close(run_steps(module, x), recorded["output"], what="output")
    golden.assert_close([module.cells[t] for t in range(len(x))], recorded["cell"], what="cell")
    module.zero_grad_parameters()
    grads = back_steps(module, x, recorded["gradOutput"])
    golden.assert_close(grads, recorded["gradInput"], what="gradInput")
    golden.assert_grad_parameters(module, recorded["gradParams"])
    if "output_evaluate_after_forget" in recorded:
        module.evaluate()
        golden.assert_close(run_steps(module, x), recorded["output_evaluate_after_forget"], what="evaluate")
        golden.assert_close(run_steps(module, x), recorded["output_evaluate_continued"], what="continued")


@pytest.mark.parametrize("case", SEQUENCES)
def test_sequences_match_torch7(case):
    module, recorded = build_case(case)
    sequencer = nn.Sequencer(module).double().remember("both")
    check_sequences(case, sequencer, module, case.endswith("_forget"), group="d_convlstm")
    sequencer.evaluate()
    x = recorded["seq1"]["input"]
    golden.assert_close(sequencer.forward(x), recorded["output_evaluate_after_forget"], what="evaluate")
    golden.assert_close(sequencer.forward(x), recorded["output_evaluate_continued"], what="continued")


@pytest.mark.parametrize("case", [case for case in STEP_BY_STEP if "initBias" in case])
def test_init_bias_matches_torch7(case):
    module, _ = build_case(case)
    wanted = {path: weight.copy() for path, weight, _ in module.named_parameters()}
    for weight in module.parameters()[0]:
        if weight.ndim == 1:
            weight.fill(9)
    module.init_bias(*([] if "default" in case else [0.5, -0.25]))
    for path, weight, _ in module.named_parameters():
        np.testing.assert_array_equal(weight, wanted[path], err_msg=path)


@pytest.mark.parametrize("case", [case for case in STEP_BY_STEP if "default_init" in case])
def test_initial_weights_are_spread_as_in_torch7(case):
    """The draws' seed is not recorded; their range is: ±1/√(k² · maps that the kernel sees)."""
    module, recorded = build_case(case)
    for path, weight, _ in module.named_parameters():
        bound = 1 / np.sqrt(9 * (3 if "output2gate" in path else 2))
        assert np.abs(weight).max() <= bound, path
        fresh = CLASSES[case.split("_")[0]](*recorded["attrs"]["args"])
        drawn = dict((p, w) for p, w, _ in fresh.named_parameters())[path]
        assert np.abs(drawn).max() <= bound and (weight.ndim == 1 or np.abs(drawn).max() > 0.8 * bound), path


@pytest.mark.parametrize("case", [COUNTS])
def test_untied_first_step_is_trained_and_zeroed_like_the_rest(case):
    """The published module leaves its first step out of `parameters` and `zeroGradParameters`."""
    recorded = golden.load("d_convlstm", case)
    module = nn.UntiedConvLSTM(2, 3, 5, 3, 3, 1)
    untied = sum(w.size for path, w, _ in module.named_parameters() if "untied" in path)
    total = sum(weight.size for weight in module.parameters()[0])
    assert total == recorded["getParameters_nElement"]
    assert total - untied == recorded["parameters_nElement"]  # what Torch7's parameters() lists
    _, flat_grad = module.get_parameters()
    assert flat_grad.size == recorded["getParameters_nElement"]
    flat_grad.fill(7)
    for sum_of in ("untied", "total"):
        assert 7 * untied == recorded[f"gradsum_{sum_of}_after_fill7_and_zeroGradParameters"]
    module.zero_grad_parameters()
    assert flat_grad.sum() == 0  # Torch7: 7 · untied


@pytest.mark.parametrize("case", DEMO)
def test_demo_model_matches_torch7(case):
    """model-demo-ConvLSTM.lua: encoder, memory and decoder in one Sequencer.

    Both values of its option `untied` build the untied memory (a slip of the original). The original
    never zeroes the gradients of the untied first step, so that in iteration 2 the sum of both is recorded.
    """
    recorded = golden.load("d_demo", case)
    encoder = nn.Sequential(
        nn.SpatialConvolution(1, 4, 3, 3, 1, 1, 1, 1), nn.Tanh(), nn.SpatialMaxPooling(2, 2)
    )
    lstm = nn.UntiedConvLSTM(4, 6, 5, 3, 3, 1)
    decoder = nn.Sequential(nn.SpatialUpSamplingNearest(2), nn.SpatialConvolution(6, 1, 3, 3, 1, 1, 1, 1))
    parts = {"encoder": {"conv": encoder[0]}, "decoder": {"conv": decoder[1]}, "lstm": lstm}
    model = nn.Sequencer(nn.Sequential(encoder, lstm, decoder, nn.Sigmoid())).double().remember("both")
    golden.set_parameters(encoder[0], recorded["params"]["encoder"]["conv"])
    golden.set_parameters(decoder[1], recorded["params"]["decoder"]["conv"])
    golden.set_parameters(lstm, recorded["params"]["lstm"])
    criterion = nn.SequencerCriterion(nn.BCECriterion())
    flat, flat_grad = model.get_parameters()
    assert flat.size == recorded["nElement_model_getParameters"]
    untied_sums = {path: 0.0 for path, _, _ in lstm.named_parameters() if "untied" in path}
    for k in ("iter1", "iter2"):
        data = recorded[k]["data"]
        inputs, targets = list(data[:5]), list(data[1:])
        flat_grad.fill(0)
        output = model.forward(inputs)
        golden.assert_close(output, recorded[k]["output"], what=f"{k} output")
        golden.assert_close(criterion.forward(output, targets), recorded[k]["loss"], what=f"{k} loss")
        grad_output = criterion.backward(output, targets)
        golden.assert_close(grad_output, recorded[k]["gradOutput"], what=f"{k} gradOutput")
        golden.assert_close(model.backward(inputs, grad_output), recorded[k]["gradInput"], what=k)
        for name in ("encoder", "decoder"):
            conv = parts[name]["conv"]
            golden.assert_grad_parameters(conv, recorded[k]["gradParams"][name]["conv"], what=f"{k} {name}")
        for path, _, grad in lstm.named_parameters():
            if path in untied_sums:
                untied_sums[path] = untied_sums[path] + grad
                grad[...] = untied_sums[path]
        golden.assert_grad_parameters(lstm, recorded[k]["gradParams"]["lstm"], what=f"{k} lstm")
        model.forget()
    model.evaluate()
    golden.assert_close(
        model.forward(list(recorded["iter1"]["data"][:5])), recorded["output_evaluate_iter1_data"]
    )


def same(x, kernels):
    """Return the "same" correlation of maps x (n, H, W) with kernels (m, n, k, k), by SciPy."""
    return np.stack([sum(correlate2d(a, k, "same") for a, k in zip(x, row)) for row in kernels])


@BUILD
def test_forward_is_equation_1(build):
    module = build(2, 3, 5, 5, 3).double()
    p = {path: weight for path, weight, _ in module.named_parameters()}

    def gate(name, x, h=None):
        z = same(x, p[f"{name}.input2gate.weight"]) + p[f"{name}.input2gate.bias"][:, None, None]
        return z if h is None else z + same(h, p[f"{name}.output2gate.weight"])

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    h = c = np.zeros((3, 6, 7))
    for t, x in enumerate(noise(3, 2, 6, 7)):
        if t == 0 and build is nn.UntiedConvLSTM:
            c = sigmoid(gate("input_gate_untied", x)) * np.tanh(gate("cell_gate_untied", x))
            h = sigmoid(gate("output_gate_untied", x)) * np.tanh(c)
        else:
            i, f = sigmoid(gate("input_gate", x, h)), sigmoid(gate("forget_gate", x, h))
            o = sigmoid(gate("output_gate", x, h))
            c = f * c + i * np.tanh(gate("cell_gate", x, h))
            h = o * np.tanh(c)
        np.testing.assert_allclose(module.forward(x), h, rtol=1e-12)
        np.testing.assert_allclose(module.cells[t], c, rtol=1e-12)


@BUILD
@pytest.mark.parametrize("shape", [(3, 2, 4, 5), (3, 2, 2, 3, 4)], ids=["single", "batch"])
def test_gradients_through_time(build, shape):
    checks = check_module(nn.Sequencer(build(2, 2, 5, 3, 3)), noise(*shape), max_entries=6)
    assert worst(checks).error < 1e-6, worst(checks)


def test_gradients_with_stride_and_even_kernel():
    checks = check_module(nn.Sequencer(nn.ConvLSTM(1, 2, 5, 4, 3, 2)), noise(2, 1, 7, 6), max_entries=6)
    assert worst(checks).error < 1e-6, worst(checks)


@BUILD
def test_batch_is_its_images_one_by_one(build):
    module = build(2, 3, 5, 3, 5).double()
    x, g = noise(4, 2, 2, 6, 5), noise(4, 2, 3, 6, 5, seed=1)
    together = np.stack(run_steps(module, x))
    module.zero_grad_parameters()
    grads = np.stack(back_steps(module, x, g))
    sums = [grad.copy() for grad in module.parameters()[1]]
    module.zero_grad_parameters()
    for n in range(2):
        module.forget()
        np.testing.assert_allclose(run_steps(module, x[:, n]), together[:, n], rtol=1e-12, atol=1e-15)
        back = back_steps(module, x[:, n], g[:, n])
        np.testing.assert_allclose(back, grads[:, n], rtol=1e-9, atol=1e-13)
    for one_by_one, together in zip(module.parameters()[1], sums):
        np.testing.assert_allclose(one_by_one, together, rtol=1e-9, atol=1e-13)


@BUILD
def test_float32_agrees_with_float64(build):
    sequencer = nn.Sequencer(build(2, 3, 5, 3, 3))
    x = noise(3, 2, 2, 5, 4, dtype=np.float32)
    y = sequencer.forward(x)
    g = sequencer.backward(x, y)
    assert y.dtype == g.dtype == np.float32
    sequencer.double()
    y64 = sequencer.forward(x.astype(np.float64))
    np.testing.assert_allclose(y, y64, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(g, sequencer.backward(x.astype(np.float64), y64), rtol=1e-3, atol=1e-5)


def test_an_earlier_sequence_continues_from_its_last_step():
    """After a backward pass the next sequence starts from h and c of the last step, also in a container."""
    net = nn.Sequential(nn.ConvLSTM(1, 2, 5, 3, 3), nn.Tanh())
    sequencer = nn.Sequencer(net).double().remember("both")
    x = noise(6, 1, 4, 4)
    first = sequencer.forward(x[:3])
    sequencer.backward(x[:3], first)
    continued = sequencer.forward(x[3:])
    sequencer.forget()
    np.testing.assert_array_equal(sequencer.forward(x)[3:], continued)


@BUILD
def test_truncated_gradient_takes_the_earlier_state_as_constant(build):
    x, g = noise(5, 1, 4, 4), noise(5, 2, 4, 4, seed=1)
    module = build(1, 2, 2, 3, 3).double()
    run_steps(module, x)
    tied = nn.ConvLSTM(1, 2, 5, 3, 3).double()  # what both are from the second step on
    for (_, mine, _), (_, theirs, _) in zip(tied.named_parameters(), module.named_parameters()):
        mine[...] = theirs
    tied.user_prev_output, tied.user_prev_cell = module.outputs[2], module.cells[2]
    np.testing.assert_array_equal(run_steps(tied, x[3:]), [module.outputs[3], module.outputs[4]])
    module.zero_grad_parameters()
    tied.zero_grad_parameters()
    want = back_steps(tied, x[3:], g[3:])
    np.testing.assert_allclose(back_steps(module, x[3:], g[3:]), want, rtol=1e-12)
    for (path, _, got), grad in zip(module.named_parameters(), tied.parameters()[1]):
        np.testing.assert_allclose(got, grad, rtol=1e-12, err_msg=path)
    with pytest.raises(RuntimeError, match="over more than the last 2 steps"):
        module.backward(x[2], g[2])


@BUILD
def test_parameters_are_reached_once_under_their_names(build):
    module = build(2, 3, 5, 3, 3)
    paths = [path for path, _, _ in module.named_parameters()]
    assert paths[:4] == [
        "forget_gate.input2gate.weight",
        "forget_gate.input2gate.bias",
        "forget_gate.output2gate.weight",
        "input_gate.input2gate.weight",
    ]
    modules = module.list_modules()
    assert len({id(below) for below in modules}) == len(modules)
    owned = [id(weight) for below in modules for _, weight, _ in below.own_parameters()]
    assert owned == [id(weight) for _, weight, _ in module.named_parameters()]
    before = [weight.copy() for weight in module.parameters()[0]]
    module.reset()
    assert all((old != new).any() for old, new in zip(before, module.parameters()[0]))


def test_parameter_counts():
    """Four gates; the hidden convolutions have no bias. The paper's sizes, 16 -> 64 maps, 7x7."""
    tied = sum(weight.size for weight in nn.ConvLSTM(16, 64, 10, 7, 7).parameters()[0])
    assert tied == 4 * (64 * 16 * 49 + 64 + 64 * 64 * 49)
    untied = sum(weight.size for weight in nn.UntiedConvLSTM(16, 64, 10, 7, 7).parameters()[0])
    assert untied == tied + 3 * (64 * 16 * 49 + 64)


@BUILD
def test_steps_follow_moved_parameters(build):
    module = build(1, 2, 5, 3, 3)
    x = noise(3, 1, 4, 4, dtype=np.float32)
    y = run_steps(module, x)
    flat, _ = module.get_parameters()
    np.testing.assert_array_equal(run_steps(module, x), y)
    flat *= 2
    module.forget()
    assert not np.allclose(run_steps(module, x)[2], y[2], atol=1e-3)


@pytest.mark.parametrize(
    "x, error, message",
    [
        (np.zeros((3, 6, 6), np.float32), ValueError, r"nn\.ConvLSTM: input must have size 2"),
        (np.zeros((6, 6), np.float32), ValueError, "3 or 4 dimensions"),
        (np.zeros((2, 6, 6)), TypeError, "must be float32, got float64"),
        (None, TypeError, "must be an array, got NoneType"),
    ],
)
def test_bad_input(x, error, message):
    with pytest.raises(error, match=message):
        nn.ConvLSTM(2, 3, 5, 3, 3).forward(x)


def test_bad_arguments_and_shapes():
    with pytest.raises(ValueError, match=r"nn\.ConvLSTM: km must be odd.*got 4"):
        nn.ConvLSTM(2, 3, 5, 3, 4)
    module = nn.UntiedConvLSTM(2, 3, 5, 3, 3)
    x = np.zeros((2, 6, 6), np.float32)
    module.forward(x)
    with pytest.raises(ValueError, match=r"nn\.UntiedConvLSTM: grad_output must have shape \(3, 6, 6\)"):
        module.backward(x, x)
    with pytest.raises(ValueError, match=r"does not continue a sequence whose state has shape \(3, 6, 6\)"):
        module.forward(x[:, :4])
