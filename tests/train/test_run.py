"""Run folders that can be trusted, crops that depend on seed and step alone, orthogonal steps."""

import hashlib
import json
import math
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from disk import full_disk
from limner.errors import InputError, LimnerError, OptionError, OutputError
from limner.nn import seeding
from limner.train.crops import Crops, load_pictures
from limner.train.optim import EMA, Muon
from limner.train.run import Run, cosine

OPTIONS = {"steps": 10, "learning_rate": 0.002, "photos": ["a", "b"]}


# --- the rate --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "steps", "warmup", "share"),
    [
        (0, 1000, 1, 1.0),
        (0, 1000, 200, 1 / 200),
        (99, 1_000_000, 200, 1 / 2),  # half of the warm-up, so early that the cosine is 1
        (250, 1000, 1, (1 + math.sqrt(1 / 2)) / 2),
        (500, 1000, 200, 1 / 2),
        (2000, 3000, 200, 1 / 4),  # cos 120° = -1/2
        (1000, 1000, 200, 0.0),
    ],
)
def test_the_rate_at_known_points(step: int, steps: int, warmup: int, share: float) -> None:
    assert cosine(step, steps, warmup=warmup) == pytest.approx(share, abs=1e-7)


def test_the_rate_rises_and_falls_once() -> None:
    shares = np.array([cosine(step, 2000) for step in range(2000)])
    # where warm-up and cosine meet: before 200 of 2000 the cosine is still above 0.97
    assert np.diff(shares)[:190].min() > 0 and np.diff(shares)[200:].max() < 0
    assert shares.min() > 0 and shares.max() < 1


def test_random_numbers_belong_to_seed_and_step() -> None:
    drawn = {
        (seed, step): torch.rand(4, generator=seeding.generator(seed, step))
        for seed in range(3)
        for step in range(3)
    }
    again = torch.rand(4, generator=seeding.generator(1, 2))
    np.testing.assert_array_equal(drawn[1, 2], again)
    assert len({tuple(numbers.tolist()) for numbers in drawn.values()}) == 9


# --- the run folder --------------------------------------------------------------------------


def test_a_run_notes_its_options(tmp_path: Path) -> None:
    Run(tmp_path / "deep" / "run", OPTIONS, resume=False)
    assert json.loads((tmp_path / "deep" / "run" / "options.json").read_text()) == OPTIONS


def test_a_run_is_not_replaced_by_accident(tmp_path: Path) -> None:
    Run(tmp_path, OPTIONS, resume=False).save({"step": 1})
    with pytest.raises(OutputError, match="holds a run already; use --resume or another"):
        Run(tmp_path, OPTIONS, resume=False)


def test_a_run_without_checkpoint_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="holds no checkpoint to resume"):
        Run(tmp_path / "none", OPTIONS, resume=True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("steps", 11, "--steps 11: this run was started with 10; resume it with the same"),
        ("learning_rate", 0.1, "--learning-rate 0.1: this run was started with 0.002"),
        ("photos", ["a"], r"--photos \['a'\]: this run was started with \['a', 'b'\]"),
        ("seed", 1, "--seed 1: this run was started with None"),
    ],
)
def test_a_run_is_resumed_with_the_same_options_only(
    tmp_path: Path, name: str, value: object, says: str
) -> None:
    Run(tmp_path, OPTIONS, resume=False).save({"step": 1})
    with pytest.raises(OptionError, match=f"^{says}"):
        Run(tmp_path, OPTIONS | {name: value}, resume=True)
    assert Run(tmp_path, OPTIONS, resume=True).load() == {"step": 1}
    # a tuple is what JSON makes of it
    assert Run(tmp_path, OPTIONS | {"photos": ("a", "b")}, resume=True).load() == {"step": 1}


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"run: cannot be written \(Not a directory\)$"):
        Run(tmp_path / "file" / "run", OPTIONS, resume=False)


def test_a_checkpoint_gives_back_what_was_put_in(tmp_path: Path) -> None:
    run = Run(tmp_path, OPTIONS, resume=False)
    layer = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1)
    layer(torch.ones(3)).sum().backward()
    optimiser.step()
    run.save({"step": 7, "layer": layer.state_dict(), "optimiser": optimiser.state_dict()})
    state = Run(tmp_path, OPTIONS, resume=True).load()
    assert state["step"] == 7
    np.testing.assert_array_equal(state["layer"]["weight"], layer.weight.detach())
    (moment, _) = state["optimiser"]["state"].values()
    # Adam after one step: a tenth of the gradient, which is 1 everywhere
    np.testing.assert_allclose(moment["exp_avg"], np.full((2, 3), 0.1), rtol=1e-6)


def test_a_checkpoint_that_fails_midway_leaves_the_last_one(tmp_path: Path) -> None:
    run = Run(tmp_path, OPTIONS, resume=False)
    run.save({"step": 1, "picture": torch.zeros(10)})
    with full_disk(4000), pytest.raises(OutputError, match=r"checkpoint\.pt: .*; make room"):
        run.save({"step": 2, "picture": torch.zeros(100_000)})
    assert Run(tmp_path, OPTIONS, resume=True).load()["step"] == 1


class Hostile:
    """Unpickled by a careless reader, it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path, OPTIONS, resume=False)
    target = tmp_path / "was here"
    run.save({"step": 1, "more": Hostile(target)})
    with pytest.raises(InputError, match=r"checkpoint\.pt: damaged; start the run anew$"):
        run.load()
    assert not target.exists()
    torch.load(run.checkpoint, weights_only=False)  # and it would have
    assert target.exists()


@pytest.mark.parametrize("kept", [0, 10, 300, -1])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, kept: int) -> None:
    run = Run(tmp_path, OPTIONS, resume=False)
    run.save({"step": 1, "picture": torch.zeros(100)})
    run.checkpoint.write_bytes(run.checkpoint.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"checkpoint\.pt: damaged; start the run anew$"):
        run.load()


def test_the_log_goes_back_to_the_checkpoint(tmp_path: Path) -> None:
    with Run(tmp_path, OPTIONS, resume=False) as run:
        for step in (50, 100, 150, 1000):
            run.log(step, {"loss": 1 / step, "score": 0.5})
        run.save({"step": 100})
    with Run(tmp_path, OPTIONS, resume=True) as run:
        run.load()
        run.log(150, {"loss": 0.25, "score": 0.75})
    assert (tmp_path / "log.csv").read_text().splitlines() == [
        "step,loss,score",
        "50,0.02,0.5",
        "100,0.01,0.5",
        "150,0.25,0.75",
    ]


def test_a_log_that_went_back_is_the_same_to_the_byte(tmp_path: Path) -> None:
    for name in ("whole", "broken"):
        with Run(tmp_path / name, OPTIONS, resume=False) as run:
            run.log(50, {"loss": 0.5})
            run.save({"step": 50})
            run.log(100, {"loss": 0.25})
    with Run(tmp_path / "broken", OPTIONS, resume=True) as run:
        run.load()
        run.log(100, {"loss": 0.25})
    whole, broken = ((tmp_path / name / "log.csv").read_bytes() for name in ("whole", "broken"))
    assert whole == broken


def test_every_log_goes_back_to_the_checkpoint(tmp_path: Path) -> None:
    """One that had begun by then, one that had not, and one that was over."""
    names = ("first", "second", "third")
    for name in ("whole", "broken"):
        with Run(tmp_path / name, OPTIONS, resume=False, logs=names) as run:
            run.log(5, {"warm": 1}, "first")
            run.log(10, {"loss": 0.5, "psnr": 30}, "second")
            run.save({"step": 10})
            run.log(15, {"loss": 0.25, "psnr": 31}, "second")
            run.log(20, {"other": 7}, "third")
    broken = tmp_path / "broken"
    with Run(broken, OPTIONS, resume=True, logs=names) as run:
        run.load()
        found = {log.stem: log.read_text() for log in broken.glob("*.csv")}
        second = "step,loss,psnr\n10,0.5,30\n"
        assert found == {"first": "step,warm\n5,1\n", "second": second, "third": "step,other\n"}
        run.log(15, {"loss": 0.25, "psnr": 31}, "second")
        run.log(20, {"other": 7}, "third")
    for name in names:
        again = (tmp_path / "whole" / f"{name}.csv").read_bytes()
        assert (broken / f"{name}.csv").read_bytes() == again
    assert again == b"step,other\n20,7\n"


@pytest.mark.parametrize("left", ["", "step,loss\n50,0.5\n10", "step,loss\n50,0.5\n\n"])
def test_a_log_cut_off_midway_does_not_stop_a_run(tmp_path: Path, left: str) -> None:
    run = Run(tmp_path, OPTIONS, resume=False)
    run.save({"step": 50})
    (tmp_path / "log.csv").write_text(left)
    assert Run(tmp_path, OPTIONS, resume=True).load() == {"step": 50}


@pytest.mark.parametrize("left", [None, "{", "[]"])
def test_a_run_whose_options_are_lost_is_refused(tmp_path: Path, left: str | None) -> None:
    Run(tmp_path, OPTIONS, resume=False).save({"step": 50})
    if left is None:
        (tmp_path / "options.json").unlink()
    else:
        (tmp_path / "options.json").write_text(left)
    with pytest.raises(LimnerError):
        Run(tmp_path, OPTIONS, resume=True)


def test_a_run_stopped_before_its_first_checkpoint_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("not a log")
    with Run(tmp_path, OPTIONS, resume=False, logs=("log", "other")) as run:
        run.log(3, {"loss": 0.5})
        run.log(3, {"loss": 0.5}, "other")
    with Run(tmp_path, OPTIONS, resume=False, logs=("log", "other")) as run:
        run.log(1, {"loss": 0.25})
    assert (tmp_path / "log.csv").read_text() == "step,loss\n1,0.25\n"
    assert not (tmp_path / "other.csv").exists() and (tmp_path / "mine.csv").exists()


def test_numbers_in_the_log_have_six_digits(tmp_path: Path) -> None:
    with Run(tmp_path, OPTIONS, resume=False) as run:
        run.log(1, {"third": 1 / 3, "many": 123456789.0, "small": 1.23456789e-7})
    (_, row) = (tmp_path / "log.csv").read_text().splitlines()
    assert row == "1,0.333333,1.23457e+08,1.23457e-07"


# --- crops -----------------------------------------------------------------------------------


def is_held_out(name: str) -> bool:
    """A tenth, by the first byte of the SHA-256 of the name."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:2], 16) % 10 == 0


def names(held_out: bool, count: int) -> list[str]:
    every = (f"{number}.png" for number in range(10_000))
    return list(islice((name for name in every if is_held_out(name) == held_out), count))


def flat(folder: Path, names: list[str], size: tuple[int, int] = (64, 64)) -> None:
    """Pictures of one colour each: however their colours are varied, they stay flat."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        colour = (40 + 25 * number % 180, 60, 200 - 20 * number % 150)
        Image.new("RGB", size, colour).save(folder / name)


def striped(folder: Path, names: list[str], size: int = 64) -> None:
    """Pictures of black and white stripes: however their colours are varied, they stay striped."""
    folder.mkdir(parents=True, exist_ok=True)
    bars = np.arange(size) // 8 % 2 * 255
    picture = np.broadcast_to(bars[None, :, None], (size, size, 3)).astype(np.uint8)
    for name in names:
        Image.fromarray(picture).save(folder / name)


def contrasts(crops: Crops, count: int) -> np.ndarray:
    """Standard deviation over the positions of each crop; noise makes at most 0.1 of it."""
    drawn = crops.batch(count, seeding.generator(0, 0)).numpy()
    return drawn.std((2, 3)).mean(1)


def test_crops_belong_to_seed_and_step(tmp_path: Path) -> None:
    flat(tmp_path, names(False, 4))
    striped(tmp_path / "below", names(False, 8)[4:])
    one, other = Crops([tmp_path], 32), Crops([tmp_path], 32)
    first = one.batch(3, seeding.generator(5, 7))
    assert first.shape == (3, 3, 32, 32) and first.dtype == torch.float32
    one.batch(2, seeding.generator(5, 8))  # what was drawn before does not matter
    np.testing.assert_array_equal(one.batch(3, seeding.generator(5, 7)), first)
    np.testing.assert_array_equal(other.batch(3, seeding.generator(5, 7)), first)
    assert (one.batch(3, seeding.generator(5, 8)) - first).abs().max() > 0.01
    assert (one.batch(3, seeding.generator(6, 7)) - first).abs().max() > 0.01


def test_crops_are_within_range_and_use_it(tmp_path: Path) -> None:
    striped(tmp_path, names(False, 2))
    drawn = Crops([tmp_path], 32).batch(60, seeding.generator(0, 0))
    assert drawn.shape == (60, 3, 32, 32)
    assert -1e-6 < drawn.min() < 0.01 and 0.99 < drawn.max() < 1 + 1e-6


def test_what_is_held_out_is_never_drawn_and_nothing_else_is(tmp_path: Path) -> None:
    flat(tmp_path, names(False, 12))
    striped(tmp_path, names(True, 5))
    assert contrasts(Crops([tmp_path], 32), 60).max() < 0.12
    assert contrasts(Crops([tmp_path], 32, held_out=True), 60).min() > 0.2


def test_every_folder_has_the_same_share(tmp_path: Path) -> None:
    flat(tmp_path / "few", names(False, 1))
    striped(tmp_path / "many", names(False, 15))
    share = (contrasts(Crops([tmp_path / "few", tmp_path / "many"], 32), 200) > 0.16).mean()
    assert 0.35 < share < 0.65  # 200 draws: four standard deviations are 0.14


def test_every_picture_is_drawn(tmp_path: Path) -> None:
    flat(tmp_path, names(False, 5))
    striped(tmp_path, names(False, 6)[5:])
    share = (contrasts(Crops([tmp_path], 32), 200) > 0.16).mean()
    assert 0.06 < share < 0.29  # one of six, four standard deviations


def test_scales_are_mixed_and_crops_mirrored(tmp_path: Path) -> None:
    tmp_path.mkdir(exist_ok=True)
    ramp = np.broadcast_to(np.arange(256)[None, :, None], (256, 256, 3)).astype(np.uint8)
    Image.fromarray(ramp).save(tmp_path / names(False, 1)[0])
    drawn = Crops([tmp_path], 32).batch(100, seeding.generator(0, 0)).mean((1, 2)).numpy()
    slopes = drawn[:, 24] - drawn[:, 8]  # over half a crop's width
    assert 0.3 < (slopes > 0).mean() < 0.7
    # the whole picture gives 0.5 and a crop of its own size 16/256
    assert np.abs(slopes).max() > 0.3 and np.abs(slopes).min() < 0.09


def test_large_pictures_are_kept_smaller(tmp_path: Path) -> None:
    flat(tmp_path, names(False, 1), size=(400, 100))
    with pytest.raises(InputError, match=r"holds no picture of at least 64×64 pixels$"):
        Crops([tmp_path], 64, longest=200)  # 200×50
    assert Crops([tmp_path], 50, longest=200).batch(1, seeding.generator(0, 0)).shape[-1] == 50


def test_what_cannot_be_read_or_is_too_small_is_passed_over(tmp_path: Path) -> None:
    flat(tmp_path, names(False, 1))
    striped(tmp_path, names(False, 3)[1:])
    for name in names(False, 3)[1:]:
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    striped(tmp_path, names(False, 5)[3:], size=31)
    (tmp_path / "notes.txt").write_text("no picture")
    assert contrasts(Crops([tmp_path], 32), 40).max() < 0.12


@pytest.mark.parametrize("one_in", [2, 3, 10])
def test_one_in_so_many_is_held_out(tmp_path: Path, one_in: int) -> None:
    """By the first byte of the SHA-256 of the name; a grey of its own tells each picture."""
    wanted: dict[bool, list[int]] = {True: [], False: []}
    for grey in range(60):
        first = int(hashlib.sha256(f"{grey:02}.png".encode()).hexdigest()[:2], 16)
        wanted[first % one_in == 0].append(grey)
        Image.new("RGB", (8, 8), (grey, grey, grey)).save(tmp_path / f"{grey:02}.png")
    for held_out, greys in wanted.items():
        (shelf,) = load_pictures([tmp_path], 8, longest=8, held_out=held_out, one_in=one_in)
        assert [int(picture[0, 0, 0]) for picture in shelf] == greys and len(greys) > 2
    with pytest.raises(InputError, match=f"8×8 pixels among .*, one in {one_in}; add some$"):
        load_pictures([tmp_path / "no"], 8, longest=8, held_out=True, one_in=one_in)


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    flat(tmp_path / "full", names(False, 2))
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "missing"):
        with pytest.raises(InputError, match=rf"{folder}: holds no picture of at least 32×32"):
            Crops([tmp_path / "full", tmp_path / folder], 32)
    with pytest.raises(
        InputError, match="among those held out for the scores, one in 10; add some"
    ):
        Crops([tmp_path / "full"], 32, held_out=True)


# --- the average -----------------------------------------------------------------------------


def filled(network: torch.nn.Linear, seed: int) -> torch.nn.Linear:
    """New weights, as a step would leave them."""
    random = torch.Generator().manual_seed(seed)
    for weight in network.parameters():
        weight.data = torch.randn(weight.shape, generator=random)
    return network


def test_an_average_goes_on_where_it_was(tmp_path: Path) -> None:
    """Its share of a step depends on how many there were."""
    network = filled(torch.nn.Linear(3, 2), 0)
    whole, broken = EMA(network), EMA(network)
    for seed in (1, 2, 3):
        whole.update(filled(network, seed))
        broken.update(network)
    torch.save(broken.state_dict(), tmp_path / "average.pt")
    resumed = EMA(filled(network, 9))
    resumed.load_state_dict(torch.load(tmp_path / "average.pt", weights_only=True))
    assert resumed.steps == 3
    before = whole.state["weight"].clone()
    for average in (whole, resumed):
        average.update(filled(network, 4))
    for key, value in whole.state.items():
        np.testing.assert_array_equal(resumed.state[key], value)
    fourth = before * 4 / 13 + network.weight.detach() * 9 / 13
    np.testing.assert_allclose(resumed.state["weight"], fourth, rtol=1e-5, atol=1e-6)


# --- orthogonal steps ------------------------------------------------------------------------

SHAPES = [(6, 20), (20, 6), (7, 7), (8, 4, 3, 3), (40, 2, 3, 3)]  # of weights: wide, tall, square


def made_orthogonal(matrix: np.ndarray) -> np.ndarray:
    """Jordan's quintic, five times, of each singular value in shares of the Frobenius norm."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    values = values / np.linalg.norm(values)
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return (left * values) @ right


@pytest.mark.parametrize("shape", SHAPES)
def test_a_first_step_is_the_gradient_with_singular_values_of_1(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(len(shape))
    rows, columns = shape[0], math.prod(shape[1:])
    left, _ = np.linalg.qr(random.normal(size=(rows, min(rows, columns))))
    right, _ = np.linalg.qr(random.normal(size=(columns, min(rows, columns))))
    values = np.geomspace(1, 0.01, min(rows, columns))
    gradient = 300 * (left * values) @ right.T
    before = random.normal(size=shape)
    weight = torch.nn.Parameter(torch.from_numpy(before).float())
    weight.grad = torch.from_numpy(gradient.reshape(shape)).float()
    Muon([weight], lr=0.25).step()
    step = (before - weight.detach().double().numpy()).reshape(rows, columns) / 0.25
    turned = left.T @ step @ right
    found = np.diag(turned)
    assert found.min() > 0.65 and found.max() < 1.25
    np.testing.assert_allclose(turned, np.diag(found), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(step), np.linalg.norm(found), rtol=1e-5)
    np.testing.assert_allclose(step, made_orthogonal(gradient), atol=1e-4)


@pytest.mark.parametrize("momentum", [0.95, 0.5])
@pytest.mark.parametrize("shape", SHAPES)
def test_steps_follow_the_running_mean(shape: tuple[int, ...], momentum: float) -> None:
    """Nesterov's way: the mean as it is, moved once more towards the gradient."""
    random = np.random.default_rng(0)
    weight = torch.nn.Parameter(torch.from_numpy(random.normal(size=shape)))
    wanted = weight.detach().numpy().copy()
    muon = Muon([weight], lr=0.1, momentum=momentum)
    mean = np.zeros(shape)
    for lr in (0.1, 0.1, 0.1, 0.02, 0.02, 0.02):
        muon.param_groups[0]["lr"] = lr
        gradient = random.normal(size=shape)
        weight.grad = torch.from_numpy(gradient)
        muon.step()
        mean = momentum * mean + (1 - momentum) * gradient
        ahead = momentum * mean + (1 - momentum) * gradient
        wanted -= lr * made_orthogonal(ahead.reshape(shape[0], -1)).reshape(shape)
        np.testing.assert_allclose(weight.detach(), wanted, rtol=0, atol=1e-6)


def test_a_gradient_of_zeros_moves_nothing() -> None:
    weight = torch.nn.Parameter(torch.ones(3, 4))
    weight.grad = torch.zeros(3, 4)
    Muon([weight]).step()
    np.testing.assert_array_equal(weight.detach(), np.ones((3, 4)))


def test_orthogonal_steps_resume_with_the_same_bits(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    gradients = torch.from_numpy(random.normal(size=(6, 5, 2, 3, 3))).float()

    def go_on(weight: torch.nn.Parameter, muon: Muon, steps: range) -> None:
        for step in steps:
            weight.grad = gradients[step].clone()
            muon.step()

    whole = torch.nn.Parameter(torch.ones(5, 2, 3, 3))
    go_on(whole, Muon([whole], lr=0.1), range(6))
    broken = torch.nn.Parameter(torch.ones(5, 2, 3, 3))
    muon = Muon([broken], lr=0.1)
    go_on(broken, muon, range(3))
    torch.save({"weight": broken.detach(), "muon": muon.state_dict()}, tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed = torch.nn.Parameter(state["weight"])
    muon = Muon([resumed])  # the rate is in the state too
    muon.load_state_dict(state["muon"])
    go_on(resumed, muon, range(3, 6))
    np.testing.assert_array_equal(resumed.detach(), whole.detach())
    forgot = torch.nn.Parameter(broken.detach().clone())
    go_on(forgot, Muon([forgot], lr=0.1), range(3, 6))
    assert (forgot - whole).abs().max() > 0.01
