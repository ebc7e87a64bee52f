"""The run: a recipe, a network and data become a trained network. Needs ``archdsl[train]``."""
