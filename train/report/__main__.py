"""What results say of this machine: commit, hardware and versions, as JSON.

python -m train.report
"""

if __name__ == "__main__":  # before all other imports, which take their time
    from ..starting import start

    start(__spec__.name)

import argparse
import json

from nnlite import backend
from nnlite.train.report.provenance import commit, hardware


def main(argv=None):
    """Run the command; return its exit status."""
    description = __doc__.split("\n")[0]
    argparse.ArgumentParser(prog="python -m train.report", description=description).parse_args(argv)
    print(json.dumps({"commit": commit(), "hardware": hardware(backend.resolve_device("auto"))}, indent=2))
    return 0
