"""Torch7's random generator: recorded streams, initial weights, saved states."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.random import Generator, default_generator
from tests import golden_cases as golden

#: How each recorded stream is drawn, and from which seed.
DRAW = {
    "uniform01_seed1234": lambda g: g.uniform(size=20),
    "uniform_-0.08_0.08_seed1234": lambda g: g.uniform(-0.08, 0.08, 20),
    "randn_seed1234_n20": lambda g: g.normal(size=20),
    "randn_seed1234_n7": lambda g: g.normal(size=7),
    "bernoulli0.7_seed1234": lambda g: g.bernoulli(0.7, 20),
    "random_uint32_seed1234": lambda g: g.random(10),
    "random_1_6_seed1234": lambda g: g.integers(1, 6, 10),
    "randperm10_seed1234": lambda g: g.randperm(10) + 1,  # recorded 1-based
    "randperm1000_seed1250": lambda g: g.randperm(1000) + 1,
    "float_uniform01_seed1234": lambda g: g.uniform(size=20).astype(np.float32),
    "float_randn_seed1234": lambda g: g.normal(size=20).astype(np.float32),
}


def seeded(build):
    nn.manual_seed(1234)
    return build()


#: Recorded weights of a freshly built layer, and of one that was reset after building.
LAYERS = {
    "init_Linear_4_3_seed1234": lambda: seeded(lambda: nn.Linear(4, 3)),
    "init_SpatialConvolution_2_3_3_3_seed1234": lambda: seeded(lambda: nn.SpatialConvolution(2, 3, 3, 3)),
    "reset0.1_SpatialConvolution_2_3_3_3_seed1234": lambda: reset_to(0.1, nn.SpatialConvolution(2, 3, 3, 3)),
}


def reset_to(stdv, layer):
    seeded(lambda: layer.reset(stdv))
    return layer


STREAMS, INITIAL = ([f"RNG/{name}" for name in recorded] for recorded in (DRAW, LAYERS))
GOLDEN = [*STREAMS, *INITIAL]


@pytest.mark.parametrize("case", STREAMS)
def test_stream_matches_torch7(case):
    stream = case.removeprefix("RNG/")
    drawn = DRAW[stream](Generator(int(stream.split("seed")[1].split("_")[0])))
    golden.assert_close(drawn, golden.load("a_nn_layers", case), 1e-15, stream)


@pytest.mark.parametrize("case", INITIAL)
def test_initial_weights_match_torch7(case):
    layer, recorded = LAYERS[case.removeprefix("RNG/")](), golden.load("a_nn_layers", case)
    golden.assert_close(layer.weight, recorded["weight"].astype(np.float32), 0, "weight")
    golden.assert_close(layer.bias, recorded["bias"].astype(np.float32), 0, "bias")


def test_draws_in_pieces_are_one_stream():
    whole, pieces = Generator(7), Generator(7)
    expected = whole.normal(size=9)
    drawn = [pieces.normal(size=n) for n in (1, 3, 0, 2, 2, 1)]
    np.testing.assert_array_equal(np.concatenate(drawn), expected)
    np.testing.assert_array_equal(pieces.uniform(size=(2, 3)), whole.uniform(size=6).reshape(2, 3))


def test_shapes_and_moments():
    generator = Generator(3)
    normal = generator.normal(2.0, 0.5, (100, 200))
    assert normal.shape == (100, 200)
    assert normal.mean() == pytest.approx(2.0, abs=0.02) and normal.std() == pytest.approx(0.5, abs=0.02)
    uniform = generator.uniform(-3, -1, 20_000)
    assert -3 <= uniform.min() < -2.99 and -1.01 < uniform.max() < -1
    dice = generator.integers(1, 6, 6_000)
    assert np.bincount(dice, minlength=7)[0] == 0 and np.bincount(dice)[1:].min() > 850
    assert generator.bernoulli(0.25, 20_000).mean() == pytest.approx(0.25, abs=0.02)
    assert generator.uniform().shape == generator.normal().shape == ()


@pytest.mark.parametrize("n", [0, 1, 2, 100])
def test_randperm_is_a_permutation(n):
    np.testing.assert_array_equal(np.sort(Generator(1).randperm(n)), np.arange(n))


def test_state_restores_the_stream():
    generator = Generator(11)
    generator.normal(size=3)  # an odd number: one normal is kept for later
    state = generator.get_state()
    expected = generator.normal(size=5), generator.uniform(size=700), generator.randperm(9)
    for other in (generator, Generator(0)):
        other.set_state(state)
        again = other.normal(size=5), other.uniform(size=700), other.randperm(9)
        assert all(np.array_equal(a, b) for a, b in zip(again, expected))


def test_manual_seed_seeds_the_modules_generator():
    nn.manual_seed(5)
    first = default_generator.normal(size=3)
    nn.manual_seed(5)
    np.testing.assert_array_equal(default_generator.normal(size=3), first)
    nn.manual_seed(6)
    assert not np.array_equal(default_generator.normal(size=3), first)
