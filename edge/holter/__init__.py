"""The Holter report: what a recording holds, in figures, strips and full disclosure.

`analyse` tells the figures, `write` makes the HTML page and the PDF.
"""

from edge.holter.placing import Window
from edge.holter.report import Analysed, analyse, write

__all__ = ["Analysed", "Window", "analyse", "write"]
