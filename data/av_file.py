"""The frames of a video file as PyAV decodes them: when they are shown, where to begin, what is damaged."""

import warnings
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass

from .av_frame import filter_graph, load_av, naming
from .file_ends import is_cut_short
from .image_sequence import is_animated
from .pictures import check_picture, most_pixels
from .video_times import Clock, presentation_order

#: Frames a second assumed for a file that does not say.
_USUAL_RATE = 25.0
#: How many packets after a marked one a key frame may come if the mark only shows where files were joined.
_JOINT = 2


@dataclass(frozen=True)
class FileFrame:
    """A frame as PyAV decodes it, its time in seconds, and `seek`, with which decoding can begin at it.

    seek: in the stream's unit of time; (position in bytes,) in raw streams, which have no times; or None.
    """

    frame: object
    time: float
    seek: int | tuple | None


def warn(message):
    """Warn of something about a file that does not stop us."""
    warnings.warn(message, stacklevel=3)


def file_frames(path, seek=None, deinterlace=False, strict=False, say=warn):
    """Yield each `FileFrame` of a video file, from the first one or from the one with this `seek`.

    Frames of interlaced video are said to be so, or made whole if `deinterlace` is set. Where a file is
    damaged, the frames up to the next key frame are left out and `say` is called with the place; with
    `strict` it is an error. So is, after all good frames, a file that is cut short.
    """
    resumed, interlaced = seek is not None, False

    def remark(message):
        if not resumed:
            say(f"{path}: {message}")

    with opened(path) as (container, stream):
        clock = Clock(1 / stated_rate(stream), remark)
        if resumed:
            by_bytes = isinstance(seek, tuple)
            container.seek(seek[0] if by_bytes else seek, stream=stream, unsupported_byte_offset=by_bytes)
        frames = _whole_frames(path, container, stream, resumed, strict, remark)
        timed = (FileFrame(frame, clock(_time(container, stream, frame)), seek) for frame, seek in frames)
        for found in _deinterlaced(timed) if deinterlace else timed:
            if found.frame.interlaced_frame and not interlaced and not deinterlace:
                remark(
                    "the video is interlaced, each frame shows two moments; deinterlace it (--deinterlace)"
                )
                interlaced = True
            yield found


def stated_rate(stream):
    """Return the frames a second that the container states, or a usual rate."""
    return float(stream.average_rate or stream.guessed_rate or _USUAL_RATE)


def frame_times(path, say=warn):
    """Return the times of all frames of a file in seconds, rising, and the rate that its container states.

    Nothing is decoded, so that it takes a fraction of the time. ValueError if the file has fewer frames than
    it says.
    """
    times, untimed, n_packets = [], 0, 0
    with opened(path) as (container, stream):
        for packet in _packets(container, stream):
            n_packets += 1
            shown = packet.dts if _is_timed_by_packets(container) else packet.pts
            decoded = shown if packet.dts is None else packet.dts
            if shown is None:
                untimed += not packet.is_discard
            elif not packet.is_discard:
                times.append((float(decoded * stream.time_base), float(shown * stream.time_base)))
        _check_count(path, container, stream, n_packets)
        rate = stated_rate(stream)
    clock = Clock(1 / rate, lambda message: say(f"{path}: {message}"))
    if untimed:  # program streams give a time to the first frame of a group only
        return [k / rate for k in range(untimed + len(times))], rate
    return [clock(time) for time in presentation_order(times)], rate


@contextmanager
def opened(path):
    """Open a video file as PyAV's container and stream; its errors become ValueErrors that name the file."""
    av = load_av()
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such video file or folder")
    with naming(path):
        try:
            # Without the prefix, a colon in the name would denote a protocol.
            with av.open(f"file:{path}", **_lenient(av)) as container:
                streams = [
                    s for s in container.streams.video if not s.disposition & s.disposition.attached_pic
                ]
                if not streams:
                    raise ValueError(f"{path}: there is no video in this file")
                if container.format.name == "webp_pipe" and is_animated(path):
                    raise ValueError(
                        f"{path}: is an animated WebP, which PyAV reads from version 19 on (this is "
                        f"{av.__version__}); convert it to MP4 or GIF"
                    )
                best = container.streams.best("video")
                stream = best if best in streams else streams[0]
                if stream.codec_context is None:
                    raise ValueError(f"{path}: PyAV has no decoder for the video in this file")
                check_picture(path, (stream.codec_context.width, stream.codec_context.height))
                # Of the frames in the file, which may be larger than it says.
                stream.codec_context.options = {"max_pixels": str(most_pixels(path))}
                stream.thread_type = "AUTO"
                yield container, stream
        except PermissionError as error:
            raise PermissionError(error.errno, error.strerror, str(path)) from error
        except av.FFmpegError as error:
            reason = error.strerror or type(error).__name__
            raise ValueError(
                f"{path}: cannot be read as a video ({reason}); is it complete, and a video?"
            ) from error


def _lenient(av):
    """Return the options with which text in a file that is no UTF-8 does not stop PyAV."""
    return {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def _packets(container, stream):
    """Yield the packets of a stream that hold anything."""
    return (packet for packet in container.demux(stream) if packet.size)


def _whole_frames(path, container, stream, resumed, strict, remark):
    """Yield (frame, seek) of each frame that is not damaged."""
    av = load_av()
    number, n_packets, seeks = 0, 0, deque()
    # From damage on, and after a seek, frames may depend on some that are missing, until a key frame.
    waits, damaged_at = resumed, None
    packets = _with_following(container.demux(stream), _JOINT)
    while True:
        try:
            packet, following = next(packets)
        except StopIteration:
            break
        except av.FFmpegError:
            waits, damaged_at = True, number
            break
        n_packets += packet.size > 0
        if packet.is_keyframe:
            seeks.append(_seek(container, packet))
        broken = packet.is_corrupt and not any(p.is_keyframe for p in following)
        try:
            if broken:  # what the decoder holds is good
                frames = stream.decode(None)
                stream.codec_context.flush_buffers()
            else:
                frames = packet.decode()
        except av.FFmpegError:
            frames, broken = [], True
        for frame in frames:
            seek = seeks.popleft() if frame.key_frame and seeks else None
            if frame.is_corrupt:
                # A recording may begin between two key frames.
                broken = broken or number > 0 or frame.key_frame
                waits = True
            elif frame.key_frame:
                if damaged_at is not None:
                    remark(f"damaged after {damaged_at} frames; those up to the next key frame are left out")
                waits, damaged_at = False, None
            if not waits:
                yield frame, seek
                number += 1
        if broken and not resumed:
            waits, damaged_at = True, number if damaged_at is None else damaged_at
            if strict:
                break
    if resumed:
        return
    if damaged_at is not None or is_cut_short(path):
        raise ValueError(f"{path}: the file is damaged or cut short after {number} frames")
    if not number:
        raise ValueError(f"{path}: there is no frame in it; is the file cut short?")
    _check_count(path, container, stream, n_packets)


def _with_following(items, n):
    """Yield (item, list of the n items after it); an error of `items` is raised after the items before it."""
    held, error, items = deque(), None, iter(items)
    while True:
        while len(held) <= n and items is not None:
            try:
                held.append(next(items))
            except StopIteration:
                items = None
            except load_av().FFmpegError as raised:
                error, items = raised, None
        if not held:
            break
        item = held.popleft()
        yield item, list(held)
    if error is not None:
        raise error


def _deinterlaced(timed):
    """Yield each `FileFrame` with both moments of an interlaced frame brought to one."""
    graph, waiting = None, deque()

    def finished():
        while waiting:
            try:
                frame = graph.pull()
            except (BlockingIOError, EOFError):
                return
            yield FileFrame(frame, waiting[0].time, waiting.popleft().seek)

    form = None
    for number, found in enumerate(timed):
        frame = found.frame
        if form != (form := (frame.width, frame.height, frame.format.name)):
            if graph is not None:
                graph.push(None)
                yield from finished()
            graph = filter_graph(frame, [("bwdif", "mode=send_frame:deint=interlaced")])
        frame.pts = number
        waiting.append(found)
        graph.push(frame)
        yield from finished()
    if graph is not None:
        graph.push(None)
        yield from finished()


def _check_count(path, container, stream, n_packets):
    """Raise ValueError if the file has fewer frames than were counted when it was opened."""
    # FFmpeg counts the pictures of a GIF, but finds only one if they state no duration.
    if container.format.name == "gif" and n_packets < stream.frames:
        raise ValueError(
            f"{path}: {n_packets} of its {stream.frames} frames can be read, for a GIF whose frames have no "
            "duration is not understood; save it with one (Pillow: duration=40)"
        )


def _is_timed_by_packets(container):
    """Return whether a frame is shown when the packet that completes it arrives."""
    # AVI states no other time, and the one that PyAV guesses is wrong if frames are stored out of order.
    return container.format.name == "avi"


def _seek(container, packet):
    """Return what decoding can begin with at a packet."""
    time = packet.dts if _is_timed_by_packets(container) else packet.pts
    return (packet.pos,) if time is None and packet.pos is not None else time


def _time(container, stream, frame):
    time = frame.dts if _is_timed_by_packets(container) else frame.pts
    return None if time is None else float(time * stream.time_base)
