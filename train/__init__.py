"""The paper's experiments, one a file; `python -m train.NAME --help` tells what each does."""
