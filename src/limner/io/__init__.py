"""Pictures in and out: files and PIL images become tensors, tensors become files."""

from limner.io.picture import (
    VISIBLE,
    Picture,
    Source,
    check_aspect,
    is_black,
    is_transparent,
    on_white,
    tell_transparent,
    to_mask,
    to_picture,
)
from limner.io.reading import read
from limner.io.recipe import make_recipe, recipe_of
from limner.io.writing import check_output, check_place, ending_of, write, write_view

__all__ = [
    "VISIBLE",
    "Picture",
    "Source",
    "check_aspect",
    "check_output",
    "check_place",
    "ending_of",
    "is_black",
    "is_transparent",
    "make_recipe",
    "on_white",
    "read",
    "recipe_of",
    "tell_transparent",
    "to_mask",
    "to_picture",
    "write",
    "write_view",
]
