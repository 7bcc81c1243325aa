"""A video that is read once, from the first frame to the last, with a bar that shows how far it is."""

from tqdm.auto import tqdm

from nnlite.data.video import read_frames, video_info


def video_frames(video, size, colour, rate, deinterlace=False, *, doing):
    """Return the `VideoInfo` of a video, the rate at which its frames are taken, and a bar to iterate over.

    size, colour, rate, deinterlace: see `read_frames`; rate 0 takes each frame. doing: what is done with
    them, for the bar, which is also a context that takes it away. What is to be said of the file is said
    once, while its frames are read.
    """
    info = video_info(video, say=lambda message: None)
    frames = read_frames(video, size, colour, rate or None, deinterlace, say=tqdm.write)
    return info, rate or info.rate, tqdm(frames, doing, info.n_frames_at(rate or None), unit=" frames")
