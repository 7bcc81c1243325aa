"""Pictures (H, W, 3), uint8, side by side: a line of titles above, a legend below."""

from itertools import chain

import numpy as np
from PIL import Image, ImageDraw, ImageFont

#: Height of a panel and of a line of text, and what is between panels, in pixels.
PANEL, LINE, GAP = 240, 22, 4


def enlargement(height, wanted=PANEL):
    """Return the whole number by which frames of this height are enlarged to be about as high as wanted."""
    return max(1, round(wanted / height))


def enlarged(picture, factor):
    """Return a picture whose pixels are squares of `factor` pixels."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def as_picture(frame):
    """Return a frame (1 or 3, H, W) with values in [0, 1] as (H, W, 3), uint8."""
    levels = np.rint(255 * np.clip(frame, 0, 1)).astype(np.uint8)
    return np.broadcast_to(np.moveaxis(levels, 0, -1), (*frame.shape[1:], 3))


def side_by_side(parts):
    """Return pictures of the same height in one, with white gaps between them."""
    gap = np.full((len(parts[0]), GAP, 3), 255, np.uint8)
    spaced = chain.from_iterable((gap, part) if k else (part,) for k, part in enumerate(parts))
    return np.concatenate(list(spaced), axis=1)


def head(titles, width):
    """Return the line of titles above panels of this width."""
    image, draw = _empty_line(len(titles) * width + (len(titles) - 1) * GAP)
    font = ImageFont.load_default()
    for k, title in enumerate(titles):
        draw.text((k * (width + GAP) + 3, 4), title, fill="black", font=font)
    return np.asarray(image)


def legend(names, colours, width):
    """Return lines of coloured squares with names, as many as are needed at this width."""
    font, lines, x = ImageFont.load_default(), [], width
    for name, colour in zip(names, colours, strict=True):
        length = LINE + round(font.getlength(name)) + 6
        if x + length > width:
            lines.append(_empty_line(width))
            x = 0
        draw = lines[-1][1]
        draw.rectangle((x + 4, 5, x + 16, 17), fill=tuple(int(level) for level in colour))
        draw.text((x + LINE, 4), name, fill="black", font=font)
        x += length
    return np.concatenate([np.asarray(image) for image, _ in lines])


def _empty_line(width):
    """Return a white line to draw on, and what draws."""
    image = Image.new("RGB", (width, LINE), "white")
    return image, ImageDraw.Draw(image)
