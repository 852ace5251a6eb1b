"""What a codestream says about itself before it is decoded, and what we are willing to decode."""

from dataclasses import dataclass

from inference.reading.rejection import MAX_PIXELS, damaged, over_limit


@dataclass(frozen=True, slots=True)
class Shape:
    """Size and samples of one picture.

    Attributes:
        width: columns in pixels.
        height: rows in pixels.
        samples: values per pixel (1 grey or palette, 3 colour).
        bits: significant bits of each value.
    """

    width: int
    height: int
    samples: int
    bits: int

    def check_size(self) -> None:
        """Refuse an empty or an enormous picture.

        Raises:
            Rejected: width or height is zero, or there are more than 100 megapixels.
        """
        if self.width < 1 or self.height < 1:
            raise damaged("The picture has no pixels.")
        if self.width * self.height > MAX_PIXELS:
            raise over_limit("The picture has more than 100 megapixels.")
