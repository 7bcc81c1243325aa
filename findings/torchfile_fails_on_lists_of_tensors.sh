#!/bin/sh
# torchfile 0.1.0 cannot read a list of tensors with today's NumPy.
#
# When it makes a Python list of a table with the keys 1 to n, it compares every entry with the table; NumPy asks the
# table for its array interface, and the table, a dict with dot access, answers None to any name. Seen with NumPy 2.4.6:
#
#     ValueError: invalid __array_struct__
#
# With use_list_heuristic=False the same file is read. Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torchfile==0.1.0 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import struct
import sys

import numpy
import torchfile


def ints(*values):
    return struct.pack(f"<{len(values)}i", *values)


def longs(*values):
    return struct.pack(f"<{len(values)}q", *values)


def text(string):
    return ints(len(string)) + string.encode()


# {torch.FloatTensor{5, 6}} as torch.save writes it
storage = ints(4, 3) + text("V 1") + text("torch.FloatStorage") + longs(2) + struct.pack("<2f", 5, 6)
tensor = ints(4, 2) + text("V 1") + text("torch.FloatTensor") + ints(1) + longs(2, 1, 1) + storage
with open("list.t7", "wb") as file:
    file.write(ints(3, 1, 1) + ints(1) + struct.pack("<d", 1) + tensor)
try:
    seen = str(torchfile.load("list.t7"))
except ValueError as error:
    seen = f"ValueError: {error}"
print(seen)
whole = torchfile.load("list.t7", use_list_heuristic=False)[1].tolist()
print(f"with use_list_heuristic=False: {whole}")
changed = (seen, whole) != ("ValueError: invalid __array_struct__", [5, 6])
print("torchfile with NumPy", numpy.__version__, "has changed" if changed else "as before")
sys.exit(changed)
PYTHON
"$folder/venv/bin/python" show.py
