"""Recipes: a ``train`` block, read against the network that it is for, and checked."""

from archdsl.recipes.reading import read_recipe
from archdsl.recipes.recipe import Recipe, Stage, Term

__all__ = ["Recipe", "Stage", "Term", "read_recipe"]
