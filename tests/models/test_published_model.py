"""The published model.lua end to end: encoder, untied ConvLSTM, flow, sampler, decoder, three training steps.

Built here from nnlite's modules exactly as the Lua files wire theirs, and compared with what the original
computed at every joint: outputs, gradients, and the parameters after each rmsprop step.
"""

import numpy as np
import pytest

import nnlite as nn
from nnlite import init, optim
from tests import golden_cases as golden

FLOW = ["flow_8x12_conv0_random", "flow_8x12_conv0_zero", "flow_8x8_conv0_random", "flow_8x8_conv0_zero"]
ONE_PASS = ["model_conv0_random", "model_conv0_random_blob", "model_conv0_zero", "model_kernel5_mem7"]
TRAINING = ["model_train3_rmsprop", "model_train3_rmsprop_conv0_zero", "model_train3_rmsprop_fixed_zerograd"]
GOLDEN = ["encoder", "decoder", *FLOW, *ONE_PASS, *TRAINING]
UNTIED = ("input_gate_untied", "cell_gate_untied", "output_gate_untied")


def convolution(n_in, n_out, kernel):
    return nn.SpatialConvolution(n_in, n_out, kernel, kernel, 1, 1, kernel // 2, kernel // 2)


class Part(nn.Sequential):
    """A Sequential some of whose modules also go by name, as the recorded parameters do."""

    def __init__(self, *modules, **named):
        super().__init__(*modules)
        for name, module in named.items():
            setattr(self, name, module)


def encoder(options):
    conv = convolution(1, 4, int(options["opt_kernelSize"]))
    return Part(conv, nn.Tanh(), nn.SpatialMaxPooling(2, 2, 2, 2), conv=conv)


def decoder(options):
    conv = convolution(4, 1, int(options["opt_kernelSize"]))
    return Part(nn.SpatialUpSamplingNearest(2), conv, conv=conv)


def flow(options):
    """flow.lua: three convolutions, trainable factors 2/h and 2/w, a clamp, the grid."""
    h, w = int(options["opt_memorySizeH"]), int(options["opt_memorySizeW"])
    kernel = int(options["opt_kernelSizeFlow"])
    conv1, conv2, conv0 = convolution(6, 2, kernel), convolution(2, 2, kernel), convolution(2, 2, 1)
    mul_y, mul_x = nn.Mul(), nn.Mul()
    scaled = nn.ParallelTable(
        nn.Sequential(mul_y, nn.Reshape(1, h, w)), nn.Sequential(mul_x, nn.Reshape(1, h, w))
    )
    return Part(
        conv1,
        conv2,
        conv0,
        nn.SplitTable(0),
        scaled,
        nn.JoinTable(0),
        nn.Clamp(options["opt_dmin"], options["opt_dmax"]),
        nn.AffineGridGeneratorOpticalFlow2D(h, w),
        nn.Transpose((0, 2), (0, 1)),
        conv1=conv1,
        conv2=conv2,
        conv0_1x1=conv0,
        mul_y=mul_y,
        mul_x=mul_x,
    )


def image_gradients():
    """The operator under the loss: differences [-1, 0, 1] along x, then y, zero outside."""
    conv = nn.SpatialConvolution(1, 2, 3, 3, 1, 1, 1, 1).no_bias()
    conv.weight.fill(0)
    conv.weight[0, 0, 1] = conv.weight[1, 0, :, 1] = (-1, 0, 1)
    return conv.double()


class PublishedModel(nn.Container):
    """model.lua: the last encoder output, sampled along the flow that the last memory output gives."""

    def __init__(self, options):
        super().__init__()
        kernel, memory = int(options["opt_kernelSize"]), int(options["opt_kernelSizeMemory"])
        self.encoder, self.flow, self.decoder = encoder(options), flow(options), decoder(options)
        self.lstm = nn.UntiedConvLSTM(4, 6, int(options["opt_nSeq"]), kernel, memory, 1)
        self.encode = nn.Sequencer(self.encoder)
        self.remember = nn.Sequencer(self.lstm).remember("both")
        self.to_hwc, self.sampler = nn.Transpose((0, 2), (0, 1)), nn.BilinearSamplerBHWD()
        self.to_chw = nn.Transpose((0, 2), (1, 2))
        for name in ("encode", "remember", "flow", "to_hwc", "sampler", "to_chw", "decoder"):
            self.add(getattr(self, name))

    def forward(self, frames):
        features = self.encode.forward(frames)
        memory = self.remember.forward(features)
        self.sampled_from = [self.to_hwc.forward(features[-1]), self.flow.forward(memory[-1])]
        warped = self.to_chw.forward(self.sampler.forward(self.sampled_from))
        return self.decoder.forward(warped)

    def backward(self, frames, g):
        features, memory = self.encode.output, self.remember.output
        g = self.decoder.backward(self.to_chw.output, g)
        g = self.to_chw.backward(self.sampler.output, g)
        g_image, g_grid = self.sampler.backward(self.sampled_from, g)
        g_memory = [np.zeros_like(m) for m in memory]
        g_memory[-1] = self.flow.backward(memory[-1], g_grid)
        g_features = [g.copy() for g in self.remember.backward(features, g_memory)]
        g_features[-1] += self.to_hwc.backward(features[-1], g_image)
        return self.encode.backward(frames, g_features)


def assert_one_pass(model, recorded, clip, kept_untied=None):
    """Run forward and backward on the recorded frames and compare at every joint.

    kept_untied: gradients of the untied first step from earlier iterations, which the original never
    zeroes; added here before comparing, and updated.
    """
    frames, target = list(recorded["data"][:-1]), recorded["data"][-1]
    output = model.forward(frames)
    golden.assert_close(model.encode.output, recorded["encoder_output"], what="encoder")
    golden.assert_close(model.remember.output, recorded["lstm_output"], what="memory")
    cells = [model.lstm.cells[t] for t in range(len(frames))]
    golden.assert_close(cells, recorded["lstm_cell"], what="cells")
    for i, module in enumerate(model.flow, 1):
        golden.assert_close(module.output, recorded["flow_intermediate"][str(i)], what=f"flow {i}")
    golden.assert_close(model.to_chw.output, recorded["warped"], what="warped")
    golden.assert_close(output, recorded["output"], what="output")

    differences, criterion = image_gradients(), nn.MSECriterion()
    gradtarget = differences.forward(target).copy()
    gradoutput = differences.forward(output)
    golden.assert_close(gradtarget, recorded["gradtarget"], what="gradtarget")
    golden.assert_close(gradoutput, recorded["gradoutput"], what="gradoutput")
    golden.assert_close(criterion.forward(gradoutput, gradtarget), recorded["loss"], what="loss")
    g = criterion.backward(gradoutput, gradtarget)
    golden.assert_close(g, recorded["gradErrOutput"], what="gradErrOutput")
    g = differences.update_grad_input(output, g)
    golden.assert_close(g, recorded["gradErrGrad"], what="gradErrGrad")

    model.zero_grad_parameters()
    golden.assert_close(model.backward(frames, g), recorded["gradInput"], what="gradInput")
    golden.assert_close(model.sampler.grad_input, recorded["sampler_gradInput"], what="sampler")
    if kept_untied is not None:
        for name in UNTIED:
            conv = getattr(model.lstm, name).input2gate
            for attribute in ("grad_weight", "grad_bias"):
                grad = getattr(conv, attribute)
                grad += kept_untied.get((name, attribute), 0)
                kept_untied[name, attribute] = grad.copy()
    golden.assert_grad_parameters(model, recorded["gradParams_before_clamp"], what="before clamp")
    for grad in model.parameters()[1]:
        optim.clip_by_value(grad, clip)
    golden.assert_grad_parameters(model, recorded["gradParams"], what="clamped")


@pytest.mark.parametrize("case", ONE_PASS)
def test_one_pass(case):
    recorded = golden.load("d_model", case)
    model = PublishedModel(recorded["attrs"]).double()
    golden.set_parameters(model, recorded["params"])
    assert_counts(model, recorded)
    assert_one_pass(model, recorded, recorded["attrs"]["opt_gradClip"])


@pytest.mark.parametrize("case", TRAINING)
def test_three_rmsprop_steps(case):
    recorded = golden.load("d_model", case)
    model = PublishedModel(recorded["attrs"]).double()
    golden.set_parameters(model, recorded["params"])
    assert_counts(model, recorded)
    x, dx = model.get_parameters()
    config = {"learning_rate": recorded["attrs"]["opt_eta"]}
    kept_untied = None if case.endswith("fixed_zerograd") else {}
    for i in (1, 2, 3):
        step = recorded[f"iter{i}"]
        assert_one_pass(model, step, recorded["attrs"]["opt_gradClip"], kept_untied)
        optim.rmsprop(lambda x: (step["loss"], dx), x, config)  # noqa: B023  called at once
        assert_parameters(model, step["params_after_rmsprop"], f"after step {i}")
        model.remember.forget()


@pytest.mark.parametrize("case", FLOW)
def test_flow(case):
    recorded = golden.load("d_model", case)
    part = flow(recorded["attrs"]).double()
    assert_part(part, recorded)
    for i, module in enumerate(part, 1):
        golden.assert_close(module.output, recorded["intermediate"][str(i)], what=str(i))


@pytest.mark.parametrize("case", ["decoder"])
def test_decoder(case):
    recorded = golden.load("d_model", case)
    assert_part(decoder(recorded["attrs"]).double(), recorded)


@pytest.mark.parametrize("case", ["encoder"])
def test_encoder_starts_from_the_same_weights(case):
    recorded = golden.load("d_model", case)
    nn.manual_seed(51)
    part = encoder(recorded["attrs"]).double()
    init.initialise(part, "xavier")
    golden.assert_close(part.conv.weight, recorded["params"]["conv"]["weight"], 1e-15, "weight")
    assert_part(part, recorded)


def assert_counts(model, recorded):
    """Compare the numbers of parameters; Torch7's parameters() leaves out the untied first step."""

    def count(module):
        return sum(weight.size for weight in module.parameters()[0])

    untied = sum(count(getattr(model.lstm, name)) for name in UNTIED)
    assert count(model) == recorded["nElement_model_getParameters"]
    assert count(model.lstm) == recorded["nElement_lstm_getParameters"]
    assert count(model) - untied == recorded["nElement_model_parameters"]


def assert_part(part, recorded):
    golden.set_parameters(part, recorded["params"])
    golden.assert_close(part.forward(recorded["input"]), recorded["output"], what="output")
    grad_input = part.backward(recorded["input"], recorded["gradOutput"])
    golden.assert_close(grad_input, recorded["gradInput"], what="gradInput")
    golden.assert_grad_parameters(part, recorded["gradParams"], what="gradParams")


def assert_parameters(module, recorded, what):
    for name, value in recorded.items():
        if isinstance(value, dict) and name != "attrs":
            assert_parameters(getattr(module, golden.snake(name)), value, f"{what} {name}")
        elif name != "attrs":
            golden.assert_close(getattr(module, name), value, what=f"{what} {name}")
