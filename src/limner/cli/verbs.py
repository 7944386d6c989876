"""Every command: what runs it, where its function is, and what its help begins with."""

from typing import NamedTuple


class Command(NamedTuple):
    """One command.

    Attributes
    ----------
    run : str
        The function that runs it: of `limner.cli.commands`, or of `training` for a training.
    place : str
        Module and function of the verb.
    summary : str
        The first line of the verb's docstring; shown without importing the verb.
    examples : tuple of str
        Command lines to begin with.
    """

    run: str
    place: str
    summary: str
    examples: tuple[str, ...]


VERBS = {
    "stylize": Command(
        "make_picture",
        "limner.style.stylize:stylize",
        "Make a photo look like a painting.",
        (
            "limner stylize photo.jpg wave.jpg -o painted.png",
            "limner stylize photo.jpg wave.jpg:0.7 starry.jpg:0.3 -o painted.png",
        ),
    ),
    "hybridize": Command(
        "make_picture",
        "limner.hybrid.hybridize:hybridize",
        "Combine two photos: one is seen from near, the other from far away.",
        (
            "limner hybridize near.jpg far.jpg -o hybrid.png --strip",
            "limner hybridize near.jpg far.jpg -o hybrid.png --sigma 6 --near-gray",
        ),
    ),
    "colorize": Command(
        "make_picture",
        "limner.colorization.colorize:colorize",
        "Turn a line drawing into a colored picture.",
        (
            "limner colorize drawing.jpg -o colored.png --hint 120,80=gold",
            'limner colorize drawing.jpg -o colored.png --palette "#aa3311,#ffe0bd"',
        ),
    ),
    "sketch": Command(
        "make_picture",
        "limner.line_art.sketch:sketch",
        "Turn a picture into a line drawing.",
        (
            "limner sketch photo.jpg -o drawing.png",
            "limner sketch photo.jpg -o drawing.png --style pencil",
        ),
    ),
    "beautify": Command(
        "make_picture",
        "limner.beauty.beautify:beautify",
        "Improve the light and color of a picture.",
        (
            "limner beautify photo.jpg -o better.jpg",
            "limner beautify photo.jpg -o better.jpg --save-cube look.cube",
        ),
    ),
    "predictability": Command(
        "measure",
        "limner.beauty.predictability:predictability",
        "Measure how predictable a picture is, and where.",
        (
            "limner predictability photo.jpg",
            "limner predictability photo.jpg --map map.png --json",
        ),
    ),
    "generate": Command(
        "make_pictures",
        "limner.generation.generate:generate",
        "Make new pictures: variations of pictures, or from a network you trained.",
        (
            "limner generate --like painting.jpg -n 8 -o new/",
            "limner generate run/ -n 25 -o new/",
        ),
    ),
    "folder": Command(
        "print_result",
        "limner.generation.folder:folder",
        "Check whether a folder has enough pictures to train on.",
        (
            "limner folder paintings/",
            "limner folder paintings/ --resolution 128 --json",
        ),
    ),
    "convert": Command(
        "print_result",
        "limner.generation.gan.stylegan2_import:convert_painter",
        "Convert a StyleGAN2 file for use with limner generate.",
        (
            "limner convert network.pkl -o painter.safetensors --license CC0",
            "limner generate painter.safetensors -n 25 -o new/",
        ),
    ),
    "upscale": Command(
        "make_picture",
        "limner.upscaling.upscale:upscale",
        "Make a picture larger and sharper, for a screen or for print.",
        (
            "limner upscale photo.jpg -o large.png",
            "limner upscale photo.jpg -o print.pdf --print 60x40cm --bleed 3mm",
        ),
    ),
    "export": Command(
        "print_result",
        "limner.exporting.export:export",
        "Write a network as an ONNX file, for phones, C++ programs and browsers.",
        (
            "limner export upscaler-fast-x4 -o upscaler.onnx",
            "limner export beautifier -o beautifier.onnx --size 256x256",
        ),
    ),
    "studio": Command(
        "serve",
        "limner.web.studio:studio",
        "Use limner in your browser, on a page that this machine serves.",
        (
            "limner studio",
            "limner studio --host 0.0.0.0",
        ),
    ),
    "replay": Command(
        "make_picture",
        "limner.batch.replay:replay",
        "Make a picture again from the recipe inside it.",
        (
            "limner replay painted.png -o again.png",
            "limner replay painted.png -o again.png --dry-run",
        ),
    ),
    "apply": Command(
        "make_picture",
        "limner.batch.replay:apply",
        "Make a picture the way another one was made.",
        (
            "limner apply painted.png photo.jpg -o painted2.png",
            "limner apply painted.png photos/ -o painted/",
        ),
    ),
}
TRAININGS = {
    "features": Command(
        "train",
        "limner.train.distillation:train_features",
        "Train the perceptual network, which measures how similar two pictures look.",
        (
            "limner train features photos/ --teacher vgg19.safetensors -o run/",
            "limner train features photos/ --teacher vgg19.safetensors -o run/ --resume",
        ),
    ),
    "upscaler": Command(
        "train",
        "limner.upscaling.train:train_upscaler",
        "Train a network that makes pictures larger.",
        (
            "limner train upscaler photos/ -o run/",
            "limner train upscaler photos/ -o run/ --quality best --steps 20000",
        ),
    ),
    "colorizer": Command(
        "train",
        "limner.colorization.train:train_colorizer",
        "Train a network that colors line drawings.",
        (
            "limner train colorizer pictures/ -o run/",
            "limner train colorizer pictures/ -o run/ --drawings drawings/",
        ),
    ),
    "beautifier": Command(
        "train",
        "limner.beauty.train:train_beautifier",
        "Train the networks that beautify uses.",
        (
            "limner train beautifier photos/ -o run/",
            "limner train beautifier photos/ -o run/ --steps 8000",
        ),
    ),
    "painter": Command(
        "train",
        "limner.generation.gan.train:train_painter",
        "Train a generator of new pictures on a folder of pictures.",
        (
            "limner train painter paintings/ -o run/ --mirror",
            "limner train painter paintings/ -o run/ --resume",
        ),
    ),
}
