"""Capital letters drawn with a pen, as comic pages and maps have them."""

from dataclasses import replace

from drawings.pen import Sheet, trace

# strokes of each letter in units of a sixth of its height; 0,0 is its upper left corner
LETTERS = {
    "A": ("0,6! 2,0! 4,6!", "0.8,4! 3.2,4!"),
    "B": ("0,0! 0,6!", "0,0! 2.4,0.1 3.4,1.4 2.4,2.8 0,3!", "0,3! 2.6,3.1 3.8,4.5 2.6,5.9 0,6!"),
    "C": ("3.8,1 2.2,0 0.2,3 2.2,6 3.9,5",),
    "D": ("0,0! 0,6!", "0,0! 2.4,0.4 3.9,3 2.4,5.6 0,6!"),
    "E": ("3.3,0! 0,0! 0,6! 3.4,6!", "0,3! 2.7,3!"),
    "F": ("3.3,0! 0,0! 0,6!", "0,3! 2.6,3!"),
    "G": ("3.8,1 2.2,0 0.2,3 2.2,6 3.8,5! 3.8,3.4! 2.4,3.4!",),
    "H": ("0,0! 0,6!", "3.8,0! 3.8,6!", "0,3! 3.8,3!"),
    "I": ("0.4,0! 0.4,6!",),
    "J": ("2.6,0! 2.6,4.5 1.4,6 0,5",),
    "K": ("0,0! 0,6!", "3.4,0! 0,3.4! 3.6,6!"),
    "L": ("0,0! 0,6! 3.2,6!",),
    "M": ("0,6! 0.5,0! 2.4,4.2! 4.3,0! 4.8,6!",),
    "N": ("0,6! 0,0! 3.9,6! 3.9,0!",),
    "O": ("2.1,0 0.1,3 2.1,6 4.1,3 z",),
    "P": ("0,6! 0,0! 2.4,0.1 3.5,1.6 2.4,3.1 0,3.2!",),
    "Q": ("2.1,0 0.1,3 2.1,6 4.1,3 z", "2.6,4.4! 4.2,6.4!"),
    "R": ("0,6! 0,0! 2.4,0.1 3.5,1.6 2.4,3.1 0,3.2!", "1.6,3.2! 3.7,6!"),
    "S": ("3.5,0.9 2,0 0.4,1.4 2,2.9 3.6,4.5 2,6 0.2,5.1",),
    "T": ("0,0! 4,0!", "2,0! 2,6!"),
    "U": ("0,0! 0.1,4 2,6 3.8,4 3.9,0!",),
    "V": ("0,0! 2,6! 4,0!",),
    "W": ("0,0! 1.2,6! 2.5,1.8! 3.8,6! 5,0!",),
    "X": ("0,0! 3.8,6!", "3.8,0! 0,6!"),
    "Y": ("0,0! 2,3! 4,0!", "2,3! 2,6!"),
    "Z": ("0,0! 3.8,0! 0,6! 4,6!",),
    "!": ("0.6,0! 0.6,4!", "0.6,5.5! 0.6,6!"),
    "?": ("0.2,1.2 1.8,0 3.4,1.4 1.7,3.2 1.7,4.2", "1.7,5.5! 1.7,6!"),
    ".": ("0.4,5.5! 0.4,6!",),
    ",": ("0.6,5.4! 0.2,6.8!",),
    "'": ("0.6,0! 0.4,1.4!",),
    " ": (),
}
WIDTHS = {"I": 0.8, " ": 1.6, "!": 1.2, ".": 0.8, ",": 1.0, "'": 1.0, "M": 4.8, "W": 5.0, "J": 2.8}


def write(
    s: Sheet, text: str, x: float, y: float, height: float, width: float, turn: float = 0.0
) -> None:
    """Write a line of text centered on x, y; `width` is the pen's, in pixels."""
    unit = height / 6
    pen = replace(s.pen, width=width, wobble=0.35, ends=0.85, taper=4, swell=0, weight=0)
    total = sum(WIDTHS.get(c, 3.8) + 1.5 for c in text) - 1.5
    left = -total / 2
    for letter in text:
        for stroke in LETTERS[letter]:
            shifted = " ".join(_moved(word, left, -3) for word in stroke.split())
            s.line(trace(shifted, (x, y), unit, turn), pen)
        left += WIDTHS.get(letter, 3.8) + 1.5


def _moved(word: str, dx: float, dy: float) -> str:
    """Return a point of a path moved."""
    if word == "z":
        return word
    x, y = word.rstrip("!").split(",")
    return f"{float(x) + dx},{float(y) + dy}" + "!" * word.endswith("!")
