"""The recipe in a finished picture, as the form that makes it again."""

import json
import re
from pathlib import Path
from typing import Any

from limner.batch.replay import RENAMED_VERBS
from limner.errors import InputError, LimnerError
from limner.io import recipe_of
from limner.io.recipe import bare_name, hash_of
from limner.web import forms
from limner.web.forms import BY_VERB, Tab
from limner.web.gallery import Gallery, Stored

_WEIGHT = re.compile(r":(?:[0-9]+\.?[0-9]*|\.[0-9]+)$")  # of a painting: wave.jpg:0.7


def form_of(path: Path, gallery: Gallery) -> dict[str, Any]:
    """Return verb, values and files of a form, and the names of files that are missing.

    Anybody may have written the recipe: only its words and numbers are used, and files are found
    in the gallery by their hashes alone. A run checks the values as if they had been typed.

    Raises
    ------
    InputError
        The picture has no recipe, or one for no form of the page.
    """
    recipe = recipe_of(path)
    verb = str(recipe.get("verb"))
    verb = {"variations": "generate"}.get(verb, RENAMED_VERBS.get(verb, verb))
    tab = BY_VERB.get(verb)
    inputs, options, hashes = (recipe.get(key) for key in ("inputs", "options", "files"))
    if tab is None or not isinstance(options, dict) or not isinstance(inputs, list):
        raise InputError(f"{path.name}: was not made by a verb of this page")
    form = _Reader(tab, gallery, hashes if isinstance(hashes, dict) else {}).read(inputs, options)
    try:
        json.dumps(form, allow_nan=False, ensure_ascii=False).encode()  # as the page is told
    except ValueError as error:
        raise InputError(f"{path.name}: its recipe has values that no form holds") from error
    return form


class _Reader:
    def __init__(self, tab: Tab, gallery: Gallery, hashes: dict[str, object]) -> None:
        self.tab, self.gallery, self.hashes = tab, gallery, hashes
        self.missing: list[str] = []

    def read(self, inputs: list[object], options: dict[str, object]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        files: dict[str, list[dict[str, Any]]] = {}
        names = [str(name) for name in inputs]
        if self.tab.verb == "generate":  # `variations` has its picture as an input
            options = {"like": names[:1], **options}
            names = []
        places = [option for option in forms.options_of(self.tab) if option.input]
        for option in places:
            count = len(names) if option.several else 1
            found = [self._find(name) for name in names[:count]]
            files[option.name] = [one.as_json() for one in found if one]
            weights = [_WEIGHT.search(name) for name in names[:count]]
            words = [match[0][1:] if match else "1" for match in weights]
            if option.several and any(float(word) != 1 for word in words):
                values[option.name] = ", ".join(words)
            names = names[count:]
        shown = {one.option.name: one for one in forms.fields(self.tab)}
        for name, value in options.items():
            given = value if isinstance(value, list) else [value]
            if any(self._is_file(one) for one in given):
                found = [self._find(str(one)) for one in given]
                files[name] = [one.as_json() for one in found if one]
            elif name in shown and value not in (None, [], ""):
                separator = "; " if any(isinstance(one, str) for one in given) else ","
                joined = separator.join(map(str, given))
                values[name] = joined if isinstance(value, list) else value
        return {"verb": self.tab.verb, "values": values, "files": files, "missing": self.missing}

    def _is_file(self, value: object) -> bool:
        return isinstance(value, str) and (
            value in self.hashes or self._plain(value) in self.hashes
        )

    def _plain(self, name: str) -> str:
        return name if name in self.hashes else _WEIGHT.sub("", name)

    def _find(self, name: str) -> Stored | None:
        """Return the file of the gallery with the recorded hash."""
        plain = self._plain(name)
        recorded = self.hashes.get(plain)
        if isinstance(recorded, str):
            try:
                return self.gallery.stored(recorded[:32])
            except LimnerError:
                pass
            for record in self.gallery.results():
                for number, one in enumerate(record.pictures, 1):
                    path = self.gallery.folder / one.name
                    is_named = one.name == bare_name(plain) and path.is_file()
                    if is_named and hash_of(path) == recorded:
                        return self.gallery.stored(f"{record.id}-{number}")
        self.missing.append(bare_name(plain))
        return None
