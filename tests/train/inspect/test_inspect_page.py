"""Arrays as maps and numbers, and the page that they are packed into."""

import json
import math

import numpy as np

from nnlite.train.inspect import page
from nnlite.train.inspect.summaries import TensorSummary, as_maps, energy, statistics
from tests.toy_inspect import stored


def test_arrays_become_maps():
    sizes = {(4, 6)}
    picture = np.arange(2 * 4 * 6.0).reshape(2, 4, 6)
    assert np.array_equal(as_maps(picture[None], sizes), picture)
    assert np.array_equal(as_maps(np.moveaxis(picture, 0, -1)[None], sizes), picture)  # the sampler's
    assert as_maps(np.zeros((5, 3, 7, 7)), sizes).shape == (15, 7, 7)
    assert as_maps(np.zeros((8, 9)), sizes).shape == (1, 8, 9)
    assert as_maps(np.arange(12.0), sizes).tolist() == np.arange(12.0).reshape(1, 3, 4).tolist()
    assert as_maps(np.zeros(13), sizes).shape == (1, 1, 13)


def test_statistics_of_an_array():
    x = np.array([[-4.0, 0.0, 0.0], [1.0, 2.0, 4.0]], np.float32)
    found = statistics(x)
    assert found["norm"] == math.sqrt(37) and found["mean"] == 0.5
    assert (found["min"], found["max"], found["zeros"]) == (-4, 4, 2 / 6)
    counts = found["histogram"]
    assert sum(counts) == 6 and counts[20] == 2 and counts[0] == 1 and counts[-1] == 1
    assert math.isnan(statistics(np.array([np.nan, 1.0]))["norm"])


def summary(maps):
    return TensorSummary(maps, statistics(maps), energy(maps))


def maps_in(raw, location):
    count = math.prod(location["shape"])
    levels = np.frombuffer(raw, np.int8, count, location["at"]).reshape(location["shape"])
    return levels * np.array(location["scales"])[:, None, None] / 127


def test_pictures_keep_eight_bits_of_each_map(tmp_path):
    maps = np.random.default_rng(0).standard_normal((3, 5, 6)).astype(np.float32)
    maps[1] *= 1e-6  # the scale is each map's own
    maps[2] = 0
    page.write(tmp_path / "p.html", {"title": "t"}, [summary(maps)], [])
    content, raw = stored(tmp_path / "p.html")
    back = maps_in(raw, content["summaries"][0]["maps"])
    for got, expected in zip(back, maps):
        assert np.abs(got - expected).max() <= np.abs(expected).max() * (0.5 / 127 + 1e-3)


def test_of_too_many_maps_the_most_important_are_kept_and_large_ones_are_averaged(tmp_path):
    maps = np.ones((9, 256, 130), np.float32) * np.arange(9)[:, None, None]
    item = summary(maps)
    item.importance = np.array([0, 5, 0, 0, 7, 0, 0, 0, 6])
    page.write(tmp_path / "p.html", {"title": "t"}, [item], [], pixels=32768)
    place = stored(tmp_path / "p.html")[0]["summaries"][0]["maps"]
    assert place["shape"] == [3, 128, 65] and place["full"] == [256, 130]
    assert place["chosen"] == [1, 4, 8] and place["scales"] == [1, 4, 8] and place["of"] == 9


def test_a_page_stays_below_its_limit(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).standard_normal((40, 64, 64)).astype(np.float32)
    summaries = [summary(np.roll(noise, k, axis=1)) for k in range(4)]
    monkeypatch.setattr(page, "LIMIT", 400_000)
    page.write(tmp_path / "p.html", {"title": "t"}, summaries, [])
    assert (tmp_path / "p.html").stat().st_size < 400_000
    content, _ = stored(tmp_path / "p.html")
    assert [s["maps"]["of"] for s in content["summaries"]] == [40] * 4
    assert [p.name for p in tmp_path.iterdir()] == ["p.html"]


def test_json_cannot_break_out_of_its_element():
    text = page.as_json({"a": "</script><b>", "b": [float("nan"), 1.5]})
    assert "</" not in text and json.loads(text) == {"a": "</script><b>", "b": [None, 1.5]}
