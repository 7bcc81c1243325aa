"""nnlite: a small layer-based framework, every gradient written by hand. `import nnlite as nn`.

The examples in docstrings assume that, and `import numpy as np`.
"""

from pathlib import Path as _Path

__version__ = "0.2.0"

# Installed, `models`, `data`, `train` and `benchmarks` are packages in here. In a clone they lie beside.
if not (_Path(__file__).parent / "models").is_dir():
    __path__.append(str(_Path(__file__).parents[1]))

from .branches import Concat, ConcatTable, ParallelTable
from .class_criterion import ClassNLLCriterion, CrossEntropyCriterion, SpatialClassNLLCriterion
from .containers import Bottle, Container, Sequential
from .criterion import (
    AbsCriterion,
    BCECriterion,
    CharbonnierCriterion,
    Criterion,
    MSECriterion,
    SequencerCriterion,
    SmoothL1Criterion,
)
from .criterion_table import (
    MaskZeroCriterion,
    ModuleCriterion,
    MultiCriterion,
    ParallelCriterion,
    RepeaterCriterion,
)
from .decorators import Decorator, DontCast, MaskZero, NaN, Serial
from .elementwise_criterion import (
    ClassSimplexCriterion,
    DistKLDivCriterion,
    L1Cost,
    MarginCriterion,
    MultiLabelSoftMarginCriterion,
    SoftMarginCriterion,
    WeightedMSECriterion,
)
from .embedding_criterion import (
    CosineEmbeddingCriterion,
    DistanceRatioCriterion,
    HingeEmbeddingCriterion,
    L1HingeEmbeddingCriterion,
)
from .graph import Node, gModule
from .layers import *  # noqa: F403
from .layers import __all__ as _layers
from .margin_criterion import MarginRankingCriterion, MultiLabelMarginCriterion, MultiMarginCriterion
from .modes import evaluating, remembering
from .module import Module
from .ops.threads import get_num_threads, set_num_threads
from .random import manual_seed
from .recurrent import *  # noqa: F403
from .recurrent import __all__ as _recurrent
from .table_mixing import CMaxTable, CMinTable, MixtureTable
from .table_order import ReverseTable, ZipTable
from .tables import (
    CAddTable,
    CDivTable,
    CMulTable,
    CSubTable,
    FlattenTable,
    JoinTable,
    NarrowTable,
    SelectTable,
    SplitTable,
)
from .trace import trace
from .warping import *  # noqa: F403
from .warping import __all__ as _warping

__all__ = [
    "AbsCriterion",
    "BCECriterion",
    "Bottle",
    "CAddTable",
    "CDivTable",
    "CMaxTable",
    "CMinTable",
    "CMulTable",
    "CSubTable",
    "CharbonnierCriterion",
    "ClassNLLCriterion",
    "ClassSimplexCriterion",
    "Concat",
    "ConcatTable",
    "Container",
    "CosineEmbeddingCriterion",
    "Criterion",
    "CrossEntropyCriterion",
    "Decorator",
    "DistKLDivCriterion",
    "DistanceRatioCriterion",
    "DontCast",
    "FlattenTable",
    "HingeEmbeddingCriterion",
    "JoinTable",
    "L1Cost",
    "L1HingeEmbeddingCriterion",
    "MSECriterion",
    "MarginCriterion",
    "MarginRankingCriterion",
    "MaskZero",
    "MaskZeroCriterion",
    "MixtureTable",
    "Module",
    "ModuleCriterion",
    "MultiCriterion",
    "MultiLabelMarginCriterion",
    "MultiLabelSoftMarginCriterion",
    "MultiMarginCriterion",
    "NaN",
    "NarrowTable",
    "Node",
    "ParallelCriterion",
    "ParallelTable",
    "RepeaterCriterion",
    "ReverseTable",
    "SelectTable",
    "SequencerCriterion",
    "Sequential",
    "Serial",
    "SmoothL1Criterion",
    "SoftMarginCriterion",
    "SpatialClassNLLCriterion",
    "SplitTable",
    "WeightedMSECriterion",
    "ZipTable",
    "evaluating",
    "gModule",
    "get_num_threads",
    "manual_seed",
    "remembering",
    "set_num_threads",
    "trace",
    *_layers,
    *_recurrent,
    *_warping,
]
