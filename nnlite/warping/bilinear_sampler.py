"""The image sampler S: bilinear interpolation at given positions."""

from ..module import Module
from ..ops import sampling


class BilinearSamplerBHWD(Module):
    """Read images at the positions of a grid by bilinear interpolation; pixels outside count as zero.

    Positions are (y, x), normalised so that -1 and +1 are the centres of the first and the last pixel.
    Each of the four neighbours of a position counts as zero on its own, so that positions up to one pixel
    outside still interpolate. At a whole pixel, where the derivative with respect to the position jumps, it
    is the one towards the right (bottom) neighbour; in the last column (row) that neighbour counts as zero.

    Shapes: input is the table [images, grids], images (H, W, D) and grids (h, w, 2) or images (B, H, W, D)
        and grids (B, h, w, 2); output (h, w, D) or (B, h, w, D).
    Forward: c_y = (y + 1)(H - 1)/2, c_x = (x + 1)(W - 1)/2,
        output[p] = Σ_nm images[n, m] · max(0, 1 - |c_y - n|) · max(0, 1 - |c_x - m|).
    Backward: grad_images[n, m] = Σ_p g[p] · max(0, 1 - |c_y - n|) · max(0, 1 - |c_x - m|);
        grad_grids[p] = ((H - 1)/2 · Σ_d g[p] ∂output[p]/∂c_y, (W - 1)/2 · Σ_d g[p] ∂output[p]/∂c_x).
    Errors: TypeError unless the input is a table; ValueError for other shapes or differing batch sizes.
    Source: nn.BilinearSamplerBHWD (stnbhwd); Jaderberg et al. 2015, section 3.3.

        >>> image = np.float32([1, 2, 3]).reshape(1, 1, 3, 1)
        >>> half_a_pixel_on = np.float32([[0, -0.5], [0, 0.5]]).reshape(1, 1, 2, 2)
        >>> nn.BilinearSamplerBHWD().forward([image, half_a_pixel_on]).ravel().tolist()
        [1.5, 2.5]
    """

    def update_output(self, input):
        images, grids = self._checked(input)
        self.output = sampling.sample(images, grids).reshape(*input[1].shape[:-1], images.shape[-1])
        return self.output

    def update_grad_input(self, input, grad_output):
        images, grids = self._checked(input)
        self.check_grad_output(grad_output, (*input[1].shape[:-1], images.shape[-1]))
        grad_output = grad_output.reshape(*grids.shape[:-1], images.shape[-1])
        self.grad_input = [
            sampling.grad_images(images.shape, grids, grad_output).reshape(input[0].shape),
            sampling.grad_grids(images, grids, grad_output).reshape(input[1].shape),
        ]
        return self.grad_input

    def _checked(self, input):
        """Check the table and return images and grids, both with a batch dimension."""
        self.check_table(input, size=2)
        images, grids = input
        self.check_array(images, "images", ndim=(3, 4))
        self.check_array(grids, "grids", ndim=images.ndim, sizes={-1: 2})
        if images.ndim == 3:
            return images[None], grids[None]
        if len(images) != len(grids):
            raise ValueError(f"{self.name}: {len(images)} images, but {len(grids)} grids")
        return images, grids
