#!/bin/sh
# flow_vis 0.1 with clip_flow shows all motion to the left and up as none.
#
# flow_to_color's clip_flow is said to clip the maximum of the flow's values. It clips both components to between 0 and
# that value: negative ones become 0, whatever the limit, and a motion down and to the left is shown as one straight
# down. Seen with flow_vis 0.1 and numpy 2.4.6, for motions by five pixels and a limit of ten, the colours (white is no
# motion):
#
#     left: no limit (0, 209, 255), limit 10 (255, 255, 255)
#     right: no limit (255, 0, 0), limit 10 (255, 0, 0)
#     up: no limit (88, 0, 255), limit 10 (255, 255, 255)
#     down: no limit (255, 229, 0), limit 10 (255, 229, 0)
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q flow-vis==0.1 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import sys
from importlib.metadata import version

import flow_vis
import numpy as np

motions = {"left": (-5, 0), "right": (5, 0), "up": (0, -5), "down": (0, 5)}
flow = np.array([list(motions.values())], np.float32)
free, limited = (flow_vis.flow_to_color(flow, clip_flow=limit)[0].tolist() for limit in (None, 10))
for title, colour, other in zip(motions, free, limited, strict=True):
    print(f"{title}: no limit {tuple(colour)}, limit 10 {tuple(other)}")
white = [255, 255, 255]
as_before = limited == [white, free[1], white, free[3]] and white not in free
print("flow_vis", version("flow-vis"), "as before" if as_before else "has changed")
sys.exit(not as_before)
PYTHON
"$folder/venv/bin/python" show.py
