"""Colors of families, for light and dark paper, and colors between them.

Paul Tol's "muted" scheme (https://personal.sron.nl/~pault/), safe for color-blind readers; on dark
paper its dark colors are lighter, the hue kept. Gray is for what has no color of its own. Mixing is
done in OKLab, where half way between two colors looks half way.

Source of facts: Ottosson (2020), A perceptual color space for image processing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from corpus import genres

Values = npt.NDArray[np.float64]

LIGHT = (
    "#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE",
    "#882255", "#44AA99", "#999933", "#AA4499",
)  # fmt: skip
DARK = (
    "#8F86F0", "#E07F8F", "#4FB06A", "#DDCC77", "#88CCEE",
    "#D4689B", "#44C2AE", "#B3B34A", "#D97CCB",
)  # fmt: skip
OTHER_LIGHT, OTHER_DARK = "#A9ADB3", "#757B85"

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def shown_families(families: Iterable[str], max_families: int) -> list[str]:
    """The commonest families, largest first; `other` is never among them."""
    counts = Counter(families)
    counts.pop(genres.OTHER, None)
    return [f for f, _ in sorted(counts.items(), key=lambda c: (-c[1], c[0]))[:max_families]]


def of_families(shown: Sequence[str]) -> dict[str, str]:
    """A color for each family on light paper, in the order of the scheme, and gray for `other`."""
    return dict(zip(shown, LIGHT, strict=False)) | {genres.OTHER: OTHER_LIGHT}


def mix(shares: Values, colors: Sequence[str]) -> list[str]:
    """Colors between colors.

    Args:
      shares: [points, colors], rows that sum to 1.
      colors: `#rrggbb`, one a column.
    """
    return [_hex(lab) for lab in shares @ np.array([oklab(color) for color in colors])]


def fade(shares: pd.DataFrame, shown: Sequence[str]) -> list[str]:
    """A color for each artist, between those of the families by the artist's share of each.

    Args:
      shares: artists x families, of `projection.family_shares`.
      shown: families with a color; the others are gray.
    """
    table = of_families(shown)
    return mix(shares.to_numpy(float), [table.get(str(name), OTHER_LIGHT) for name in shares])


def oklab(color: str) -> Values:
    """`#rrggbb` as OKLab: lightness 0..1, green to red, blue to yellow."""
    srgb = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lab: Values = _TO_LAB @ np.cbrt(_TO_LMS @ linear)
    return lab


def _hex(lab: Values) -> str:
    linear = np.clip(np.linalg.inv(_TO_LMS) @ (np.linalg.inv(_TO_LAB) @ lab) ** 3, 0, 1)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(value * 255):02x}" for value in srgb.tolist())
