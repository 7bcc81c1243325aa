"""Base of the convolution and pooling layers: a window that slides over maps."""

from ..module import Module


class SlidingWindow(Module):
    """A module with a window of kw x kh that moves in steps dw, dh over maps padded by padw, padh.

    Errors: ValueError when one of these is not an integer or too small.
    """

    kw: int
    kh: int
    dw: int
    dh: int
    padw: int
    padh: int

    def __init__(self, kw, kh, dw, dh, padw, padh):
        super().__init__()
        sizes = {"kw": kw, "kh": kh, "dw": dw, "dh": dh, "padw": padw, "padh": padh}
        for argument, value in sizes.items():
            least = 0 if argument in ("padw", "padh") else 1
            if value != int(value) or value < least:
                raise ValueError(f"{self.name}: {argument} must be an integer >= {least}, got {value}")
            setattr(self, argument, int(value))

    @property
    def kernel(self):
        """The window's (height, width)."""
        return self.kh, self.kw

    @property
    def stride(self):
        """The steps down and to the right."""
        return self.dh, self.dw

    @property
    def padding(self):
        """The rows above and below and the columns left and right of the input."""
        return self.padh, self.padw

    def check_fits(self, out_size, input):
        """Raise ValueError unless the output has at least one row and one column."""
        if min(out_size) < 1:
            raise ValueError(
                f"{self.name}: a window of {self.kh} rows and {self.kw} columns with padding {self.padh} and "
                f"{self.padw} gives no output ({out_size[0]}x{out_size[1]}) for input of shape {input.shape}"
            )

    def describe_window(self, with_stride):
        """Return "3x3, 2,2, 1,1": the window, the stride if requested or padded, the padding if any."""
        text = f"{self.kw}x{self.kh}"
        if with_stride or any(self.padding):
            text += f", {self.dw},{self.dh}"
        if any(self.padding):
            text += f", {self.padw},{self.padh}"
        return text


def as_batch(maps):
    """Return (C, H, W) as (1, C, H, W), and a batch unchanged."""
    return maps if maps.ndim == 4 else maps[None]
