#!/bin/sh
# decord 0.6.0 reads from an MP4 cut without re-encoding another frame 12 alone than in a row, and repeats of the last.
#
# ffmpeg -ss 0.5 -c copy starts at the key frame before and leaves an edit list, by which players and FFmpeg drop what
# is too early. decord counts and times all packets, those dropped included, but decodes with the edit list: of 20
# packets come 15 frames, which get the times of the first 15, -0.17 to 0.30 s in place of 0 to 0.47, and the last frame
# fills up. What is read alone, after a seek, is by contrast counted from the key frame: index 12 is another frame. All
# without a word. Of MPEG-TS, which does not start at 0, the first ten frames, up to the second key frame, are missing,
# and the last is repeated as often, with a warning of corrupted frames. Seen with decord 0.6.0, av 18.1.0 and numpy
# 2.4.6, for frames 0 to 29 at 30 a second with a key frame every ten, cut at frame 15:
#
#     whole.mp4, PyAV: 30 frames, at 0.00 to 0.97 s: 0 to 29, then 0 repeats
#     whole.mp4, decord: 30 frames, at 0.00 to 0.97 s: 0 to 29, then 0 repeats
#     cut.mp4, PyAV: 15 frames, at 0.00 to 0.47 s: 15 to 29, then 0 repeats
#     cut.mp4, decord: 20 frames, at -0.17 to 0.47 s: 15 to 29, then 5 repeats
#     whole.ts, PyAV: 30 frames, at 0.00 to 0.97 s: 0 to 29, then 0 repeats
#     whole.ts, decord: 30 frames, at 0.00 to 0.97 s: 10 to 29, then 10 repeats
#     index 12 of cut.mp4: 27 by PyAV, 27 by decord in a row, 22 by decord alone
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q decord==0.6.0 av==18.1.0 imageio-ffmpeg==0.8.1 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import subprocess
import sys

import av
import decord
import imageio_ffmpeg
import numpy as np

COUNT, RATE, GROUP, CUT, INDEX = 30, 30, 10, 15, 12


def convert(*words):
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *words], check=True)


def number(image):
    return round((float(image.mean()) - 20) / 7)


def by_pyav(path):
    with av.open(path) as container:
        start = container.streams.video[0].start_time or 0
        return [
            (number(frame.to_ndarray(format="rgb24")), float((frame.pts - start) * frame.time_base))
            for frame in container.decode(video=0)
        ]


def by_decord(path):
    reader = decord.VideoReader(path, num_threads=1)
    times = reader.get_frame_timestamp(range(len(reader)))[:, 0]
    images = reader.get_batch(range(len(reader))).asnumpy()
    return [(number(image), float(time)) for image, time in zip(images, times, strict=True)]


# Frame i has the grey level 20 + 7 i.
frames = np.stack([np.full((64, 64, 3), 20 + 7 * index, np.uint8) for index in range(COUNT)])
with open("raw.rgb", "wb") as file:
    file.write(frames.tobytes())
raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x64", "-r", str(RATE), "-i", "raw.rgb")
convert(*raw, "-c:v", "libx264", "-g", str(GROUP), "-pix_fmt", "yuv420p", "whole.mp4")
convert("-ss", str(CUT / RATE), "-i", "whole.mp4", "-c", "copy", "cut.mp4")
convert("-i", "whole.mp4", "-c", "copy", "whole.ts")
found = {}
for path in ("whole.mp4", "cut.mp4", "whole.ts"):
    for title, read in (("PyAV", by_pyav), ("decord", by_decord)):
        found[path, title] = read(path)
        numbers, times = zip(*found[path, title], strict=True)
        repeats = numbers.count(numbers[-1]) - 1
        span = f"{len(numbers)} frames, at {times[0]:.2f} to {times[-1]:.2f} s"
        print(f"{path}, {title}: {span}: {numbers[0]} to {numbers[-1]}, then {repeats} repeats")
numbers = {key: [number for number, _ in frames] for key, frames in found.items()}
whole, cut, last = list(range(COUNT)), list(range(CUT, COUNT)), COUNT - 1
as_before = numbers["whole.mp4", "PyAV"] == numbers["whole.ts", "PyAV"] == numbers["whole.mp4", "decord"] == whole
as_before &= numbers["cut.mp4", "PyAV"] == cut and numbers["cut.mp4", "decord"] == cut + [last] * 5
as_before &= abs(found["cut.mp4", "decord"][0][1] + 5 / RATE) < 1e-3
as_before &= numbers["whole.ts", "decord"] == whole[GROUP:] + [last] * GROUP
in_a_row = [numbers["cut.mp4", title][INDEX] for title in ("PyAV", "decord")]
alone = number(decord.VideoReader("cut.mp4", num_threads=1)[INDEX].asnumpy())
print(f"index {INDEX} of cut.mp4: {in_a_row[0]} by PyAV, {in_a_row[1]} by decord in a row, {alone} by decord alone")
as_before &= in_a_row == [CUT + INDEX] * 2 and alone == GROUP + INDEX
print("decord", decord.__version__, "as before" if as_before else "has changed")
sys.exit(not as_before)
PYTHON
"$folder/venv/bin/python" show.py
