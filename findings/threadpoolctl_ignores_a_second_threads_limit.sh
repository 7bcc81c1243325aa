#!/bin/sh
# threadpoolctl 3.8.0 silently ignores BLAS limits set from any thread but the first that set one.
#
# OpenBLAS has one pool of threads a process. The first Python thread that limits it controls it as long as it lives;
# calls of all others return without a word, and BLAS keeps its number of threads. 3.6.0 obeyed every thread. Whoever
# limits BLAS in a worker thread, with `threadpool_limits` or `set_num_threads`, should read the number back. Seen with
# numpy 2.4.6 from its wheel (OpenBLAS with pthreads), on a machine of two cores:
#
#     3.6.0: first thread asks for 2: 2, second thread asks for 1: 1
#     3.8.0: first thread asks for 2: 2, second thread asks for 1: 2
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
cat > show.py <<'PYTHON'
import sys
import threading

import numpy  # noqa: F401  # loads OpenBLAS
import threadpoolctl

(library,) = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers


def limited(count):
    library.set_num_threads(count)
    return library.get_num_threads()


def limited_elsewhere(count):
    found = []
    thread = threading.Thread(target=lambda: found.append(limited(count)))
    thread.start()
    thread.join()
    return found[0]


first, second = limited(2), limited_elsewhere(1)
print(
    f"{threadpoolctl.__version__}: first thread asks for 2: {first}, second thread asks for 1: {second}"
)
sys.exit((first, second) != (2, int(sys.argv[1])))
PYTHON
"$folder/venv/bin/pip" install -q threadpoolctl==3.6.0 numpy==2.4.6
"$folder/venv/bin/python" show.py 1
"$folder/venv/bin/pip" install -q threadpoolctl==3.8.0
"$folder/venv/bin/python" show.py 2
