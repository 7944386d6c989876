"""The remedy that an error message names, as buttons: "use --fit fill" sets “Fit” to fill."""

import re
from typing import Any

from limner.web.forms import BY_VERB, labels, options_of

# "--size 512" or "--keep-alpha" after the last semicolon of a message; a comma ends the value
_SUGGESTION = re.compile(r"(?<![\w-])(--?[a-z][a-z-]*)(?:[ =]([\w.#%]+))?")
_NO_VALUES = {"or", "and", "too", "to", "with", "for", "above", "below", "is", "if"}


def remedies(message: str, verb: str) -> list[dict[str, Any]]:
    """Return what a message advises to do.

    Parameters
    ----------
    message : str
        A message of limner, with options as they are typed: ``"…; use --size 512"``.
    verb : str
        The verb that raised it.

    Returns
    -------
    list of dict
        The option, its value, and the label of a button that sets it.
    """
    tab = BY_VERB.get(verb)
    if tab is None or ";" not in message:
        return []
    names = labels(tab)
    known = {option.flag: option for option in options_of(tab)}
    found: list[dict[str, Any]] = []
    for flag, word in _SUGGESTION.findall(message.rpartition(";")[2]):
        option = known.get(flag)
        if option is None or flag not in names:
            continue
        value: Any = word
        label = f"Set “{names[flag]}” to {word}"
        if option.kind is bool:
            value, label = True, f"Turn on “{names[flag]}”"
        elif not word or word in _NO_VALUES:
            continue
        found.append({"option": option.name, "value": value, "label": label})
    return found
