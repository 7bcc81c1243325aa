"""Finding data sets by option and by environment variable."""

import pytest

from nnlite.data.folders import data_folder, find_data_set


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with the data set `flowers`, whose folder has a file petals.txt; the variable is not set."""
    (tmp_path / "flowers").mkdir()
    (tmp_path / "flowers" / "petals.txt").touch()
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    return tmp_path


def find(path=None):
    return find_data_set(
        "Flowers",
        path,
        "--flowers",
        subfolders=["", "flowers"],
        is_data_set=lambda folder: (folder / "petals.txt").exists(),
        contents="petals.txt",
    )


def test_an_option_goes_before_the_variable(data, monkeypatch, tmp_path_factory):
    assert data_folder() is None and find() is None
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path_factory.mktemp("empty")))
    assert find() is None
    assert data_folder(str(data), "--flowers") == data
    assert find(str(data)) == find(data / "flowers") == data / "flowers"
    monkeypatch.setenv("NNLITE_DATA", str(data))
    assert data_folder() == data and find() == data / "flowers"


def test_folders_that_do_not_exist(data, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"^--flowers: there is no folder nowhere$"):
        find("nowhere")
    monkeypatch.setenv("NNLITE_DATA", "nowhere")
    with pytest.raises(FileNotFoundError, match=r"^NNLITE_DATA: there is no folder nowhere$"):
        find()


def test_an_option_must_name_the_data_set(data):
    (data / "flowers" / "petals.txt").unlink()
    message = rf"^--flowers: no Flowers in {data}: petals\.txt must be in this folder or its flowers/; "
    with pytest.raises(FileNotFoundError, match=rf"{message}found there: flowers/$"):
        find(data)
