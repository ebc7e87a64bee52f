"""The page: a picture to explore, in which blocks open and close."""

from archdsl.backends.dot.page.document import write_page

__all__ = ["write_page"]
