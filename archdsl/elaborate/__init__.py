"""Elaboration: syntax becomes a graph; parameters, loops, blocks and names are worked out."""
