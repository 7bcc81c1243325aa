"""Folders and files that the settings name: absolute in the run, by their own names when passed on."""

from dataclasses import replace
from pathlib import Path

from nnlite.train.real_video.settings import NO_VIDEO, Settings
from nnlite.train.real_video.videos import default_folders
from nnlite.train.report.anonymise import anonymised_command, anonymised_path

#: The settings that name several folders, and those that name one folder or file.
SEVERAL, ONE = ("videos", "test"), ("splits", "render", "sintel", "middlebury")


def absolute(given):
    """Return what the user gives with absolute folders, for the run may be resumed from elsewhere."""
    found = dict(given)
    for name in SEVERAL:
        if name in given:
            found[name] = tuple(str(Path(folder).resolve()) for folder in given[name])
    for name in ONE:
        if name in given and (name, given[name]) != ("render", NO_VIDEO):
            found[name] = str(Path(given[name]).resolve())
    return found


def known_here(settings):
    """Return the settings of packed weights, which name no places, with the folders that are found here."""
    if settings.videos and not Path(settings.videos[0]).is_absolute():
        settings = replace(settings, videos=default_folders(), test=None, splits=None)
    for name in ("sintel", "middlebury"):
        if not Path(getattr(settings, name) or "/").is_absolute():
            settings = replace(settings, **{name: None})
    return settings


def anonymised(result):
    """Return a result whose settings and commands name folders without those that they lie in."""
    experiment = dict(result["experiment"])
    for name in SEVERAL:
        experiment[name] = (
            [anonymised_path(folder) for folder in experiment[name]] if experiment[name] else None
        )
    for name in ONE:
        experiment[name] = anonymised_path(experiment[name]) if experiment.get(name) else None
    commands = [anonymised_command(line, Settings.path_flags()) for line in result["commands"]]
    return result | {"experiment": experiment, "commands": commands}
