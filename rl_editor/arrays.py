"""Array types by what they hold: the one place where dtypes are named."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
"""Audio `(channels, samples)` or features, float32."""
IntArray = NDArray[np.int64]
"""Sample positions and beat indices."""
SmallIntArray = NDArray[np.int8]
"""Labels: families, halves, activities, positions in the bar."""
BoolArray = NDArray[np.bool_]
"""Masks."""
DoubleArray = NDArray[np.float64]
"""Sums whose rounding matters."""
