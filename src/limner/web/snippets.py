"""A call from the page, written as a command and as Python."""

import shlex
from pathlib import Path

from limner.signature import Option
from limner.web.calls import Call
from limner.web.forms import WEIGHTS_FILES, options_of


def command_line(call: Call, output: str) -> str:
    """Write a call as a command, quoted for a POSIX shell."""
    words = ["limner", call.tab.verb, *map(_argument, call.inputs)]
    for option in options_of(call.tab):
        value = call.options.get(option.name)
        if value is None:
            continue
        if option.kind is bool:
            words.append(option.flag if value else f"--no-{option.flag[2:]}")
        elif option.kind == list[int]:
            words += [option.flag, ",".join(map(str, value))]
        else:
            for each in value if isinstance(value, list) else [value]:
                text = _argument(each) if _is_file(option, each) else str(each)
                words += [f"{option.flag}={text}"] if text.startswith("-") else [option.flag, text]
    return shlex.join((*words, "-o", output))


def python_call(call: Call, output: str) -> str:
    """Write a call as Python. An output that ends with a slash is a folder for several pictures."""
    known = {option.name: option for option in options_of(call.tab)}
    arguments = [repr(_name(path)) for path in call.inputs]
    for name, value in call.options.items():
        if isinstance(value, list):
            arguments.append(f"{name}={[_shown(known[name], one) for one in value]}")
        else:
            arguments.append(f"{name}={_shown(known[name], value)!r}")
    made = f"limner.{call.tab.verb}({', '.join(arguments)})"
    if output.endswith("/"):
        return (
            f"import limner\n\nfor number, picture in enumerate({made}, 1):\n"
            '    limner.write(picture, f"{number:02d}.png")'
        )
    return f"import limner\n\npicture = {made}\nlimner.write(picture, {output!r})"


def _is_file(option: Option, value: object) -> bool:
    takes_file = option.picture or option.kind is Path or option.name in WEIGHTS_FILES
    return takes_file and value not in option.choices


def _shown(option: Option, value: object) -> object:
    return _name(value) if _is_file(option, value) else value


def _argument(path: object) -> str:
    """Return a file name for a command line, where a leading dash would make it an option."""
    name = _name(path)
    return f"./{name}" if name.startswith("-") else name


def _name(path: object) -> str:
    """Return the name that the owner of a file knows; its folder is the page's."""
    return Path(str(path)).name
