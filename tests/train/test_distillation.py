"""The compact network learns from its teachers: small teachers, small crops, few steps."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limner.errors import InputError, LimnerError, OptionError, WeightsError
from limner.nn import features, weights
from limner.nn.seeding import generator
from limner.progress import Progress, Stop
from limner.train import distillation
from limner.train.crops import Crops
from limner.train.distillation import Student, Teacher, train_features
from stopping import same, until

NARROW = (16, 32, 64, 128, 128)
FULL = (64, 128, 256, 512, 512)
LAYERS = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1", "4_2", "4_3", "4_4", "5_1"]


def state_of(widths: tuple[int, ...], layers: list[str]) -> dict[str, torch.Tensor]:
    """The state of a teacher file with random weights: a 1×1 preprocess layer, then conv1_1, …"""
    random = torch.Generator().manual_seed(0)
    state = {"preprocess.weight": 4 * torch.eye(3)[..., None, None]}
    state["preprocess.bias"] = torch.full((3,), -2.0)
    before = 3
    for layer in layers:
        width = widths[int(layer[0]) - 1]
        size = (2 / (9 * before)) ** 0.5  # He et al. 2015: keeps the spread through ReLU
        drawn = torch.randn((width, before, 3, 3), generator=random) * size
        state[f"conv{layer}.weight"], before = drawn, width
        state[f"conv{layer}.bias"] = torch.randn(width, generator=random) * 0.1
    return state


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teachers") / "narrow.safetensors"
    weights.write(path, state_of(NARROW, LAYERS), {})
    return path


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teachers") / "wide.safetensors"
    weights.write(path, state_of(FULL, LAYERS[:5]), {})  # ends after conv3_1
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Soft blobs of color, of 64 pixels: enough to learn from. And one held out, by its name."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(8):
        coarse = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(
            folder / f"{number}.png"
        )
    Image.new("RGB", (256, 256)).save(folder / "10.png")
    return folder


def train(run: Path, photos: Path, teachers: list[Path], stop_at: int, **options: object) -> list:  # type: ignore[type-arg]
    told: list[Progress] = []
    with pytest.raises(Stop):  # before the scores on crops of 256 px, which take long
        train_features(
            [photos],
            run,
            teacher=teachers,
            batch_size=2,
            size=32,
            on_step=until(stop_at, told),
            **options,  # type: ignore[arg-type]
        )
    return told


# --- teachers --------------------------------------------------------------------------------


def test_a_teacher_is_vgg_with_maxima_and_reflection(narrow: Path) -> None:
    teacher = Teacher(weights.read(narrow), "narrow")
    random = torch.Generator().manual_seed(1)
    picture = torch.rand((1, 3, 32, 32), generator=random)
    found = teacher(picture)
    assert list(found) == LAYERS
    state = weights.read(narrow)
    x = 4 * picture[0].double().numpy() - 2
    for layer in LAYERS[:5]:
        if layer in ("2_1", "3_1"):
            channels, height, width = x.shape
            x = x.reshape(channels, height // 2, 2, width // 2, 2).max((2, 4))
        weight = state[f"conv{layer}.weight"].double().numpy()
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
        x = np.einsum("chwij,dcij->dhw", windows, weight, optimize=True)
        x = np.maximum(x + state[f"conv{layer}.bias"].numpy()[:, None, None], 0)
        np.testing.assert_allclose(found[layer][0].numpy(), x, rtol=1e-3, atol=1e-4)


def test_calibrated_taps_have_unit_size(narrow: Path) -> None:
    teacher = Teacher(weights.read(narrow), "narrow")
    picture = torch.rand((2, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    before = {tap: feature.numpy() for tap, feature in teacher(picture).items()}
    teacher.calibrate(picture)
    for tap, feature in teacher(picture).items():
        np.testing.assert_allclose(np.square(feature.numpy()).mean(), 1, rtol=1e-4)
        size = np.sqrt(np.square(before[tap]).mean())
        np.testing.assert_allclose(feature.numpy() * size, before[tap], rtol=1e-4, atol=1e-6)


def test_adaptors_in_a_teacher_s_file_are_left_out(narrow: Path) -> None:
    state = weights.read(narrow)
    state["conv1_1_to_full_width.weight"] = torch.zeros(64, 16, 1, 1)
    state["conv1_1_to_full_width.bias"] = torch.zeros(64)
    assert list(Teacher(state, "narrow").widths) == LAYERS


@pytest.mark.parametrize(
    "missing",
    ["preprocess.weight", "conv1_1.weight", "preprocess.bias", "conv2_1.bias"],
)
def test_a_file_without_a_needed_layer_is_refused(
    tmp_path: Path, narrow: Path, photos: Path, missing: str
) -> None:
    state = weights.read(narrow)
    del state[missing]
    weights.write(tmp_path / "a.safetensors", state, {})
    with pytest.raises(WeightsError, match=r"^a\.safetensors: "):
        train_features([photos], tmp_path / "run", teacher=[tmp_path / "a.safetensors"], steps=1)
    assert not (tmp_path / "run").exists()


def test_other_files_are_refused(tmp_path: Path, photos: Path) -> None:
    weights.write(tmp_path / "own.safetensors", features.VGG("compact").state_dict(), {})
    (tmp_path / "text.safetensors").write_text("a teacher, believe me")
    for name in ("own", "text", "none"):
        path = tmp_path / f"{name}.safetensors"
        with pytest.raises(WeightsError, match=rf"{name}\.safetensors: "):
            train_features([photos], tmp_path / "run", teacher=[path], steps=1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("key", "shape"), [("conv1_1.weight", (16, 27)), ("conv2_1.bias", (5,))])
def test_a_teacher_of_odd_shapes_is_refused(narrow: Path, key: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(WeightsError, match=r"^odd: "):
        Teacher(weights.read(narrow) | {key: torch.zeros(shape)}, "odd")


# --- the student -----------------------------------------------------------------------------


def test_explained_variance_is_one_less_the_relative_error() -> None:
    random = np.random.default_rng(0)
    theirs = random.normal(3, 2, (2, 4, 5, 6)) * np.array([1, 2, 3, 4])[:, None, None]
    ours = theirs + random.normal(0, 1, theirs.shape)
    # variance of each channel over pictures and positions, then the mean over channels
    variance = np.mean([theirs[:, c].var() for c in range(4)])
    wanted = 1 - np.mean((ours - theirs) ** 2) / variance
    found = distillation.explained_variance(torch.tensor(ours), torch.tensor(theirs)).item()
    assert found == pytest.approx(wanted, rel=1e-9)
    means = torch.tensor(theirs).mean((0, 2, 3), keepdim=True).expand(2, 4, 5, 6)
    assert distillation.explained_variance(means, torch.tensor(theirs)).item() == pytest.approx(
        0, abs=1e-9
    )


def test_heads_translate_where_widths_differ(narrow: Path, wide: Path) -> None:
    teachers = [Teacher(weights.read(path), path.name) for path in (wide, narrow)]
    student = Student(teachers)
    scores = student.explained_variance(torch.rand(3, 3, 32, 32), teachers)
    # of the wide one all taps it has, of the narrow one those from block 3 on
    assert list(scores) == [
        *(f"0/{tap}" for tap in ("1_1", "1_2", "2_1", "2_2", "3_1")),
        *(f"1/{tap}" for tap in ("3_1", "4_1", "4_2", "5_1", "3_3", "4_3")),
    ]
    shapes = {tap: tuple(head.weight.shape[:2]) for tap, head in student.heads[0].items()}  # type: ignore[operator]
    assert shapes == {
        "1_1": (64, 16), "1_2": (64, 16), "2_1": (128, 32), "2_2": (128, 32), "3_1": (256, 64)
    }  # fmt: skip
    assert len(student.heads[1]) == 0  # type: ignore[arg-type]


def test_our_last_of_block_3_is_compared_with_their_last(narrow: Path) -> None:
    teacher = Teacher(weights.read(narrow), "narrow")
    student = Student([teacher])
    picture = torch.rand((2, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    found = student.explained_variance(picture, [teacher])
    for tap, last in (("3_1", "3_1"), ("3_3", "3_4"), ("4_3", "4_4")):
        ours = student.network(picture, [tap])[tap].detach().double().numpy()
        theirs = teacher(picture)[last].double().numpy()
        variance = np.square(theirs - theirs.mean((0, 2, 3), keepdims=True)).mean()
        by_hand = 1 - np.square(ours - theirs).mean() / variance
        assert found[f"0/{tap}"].item() == pytest.approx(by_hand, rel=1e-4, abs=1e-4)


def test_folding_batch_normalization_changes_nothing(narrow: Path) -> None:
    torch.manual_seed(0)
    student = Student([Teacher(weights.read(narrow), "narrow")])
    for layers in student.network.convolutions.values():
        norm = layers[1]  # type: ignore[index]
        norm.running_mean.uniform_(-0.5, 0.5)
        norm.running_var.uniform_(0.5, 2)
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.3, 0.3)
    picture = torch.rand(1, 3, 48, 32)
    plain = student.folded().requires_grad_(False)
    assert student.network.training
    for layer in plain.convolutions.values():
        assert isinstance(layer, torch.nn.Conv2d)
    student.eval()
    with torch.no_grad():
        wanted = student.network(picture, LAYERS_OF_COMPACT)
    found = plain(picture, LAYERS_OF_COMPACT)
    for tap, feature in wanted.items():
        assert feature.max() > 0.01
        np.testing.assert_allclose(found[tap], feature, rtol=1e-5, atol=1e-5 * float(feature.max()))


LAYERS_OF_COMPACT = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3", "5_1"]


# --- training --------------------------------------------------------------------------------


def test_the_loss_falls(tmp_path: Path, photos: Path, narrow: Path, wide: Path) -> None:
    # the rate rises for 200 steps, so it must be high to have an effect in 30
    told = train(tmp_path / "run", photos, [narrow, wide], 30, steps=30, learning_rate=0.3)
    losses = np.array([progress.loss for progress in told])
    assert [progress.step for progress in told] == list(range(1, 31))
    assert {progress.steps for progress in told} == {30}
    assert losses[-8:].mean() < 0.6 * losses[:8].mean()


def test_what_is_written_is_a_perceptual_network(
    tmp_path: Path, photos: Path, narrow: Path
) -> None:
    train(tmp_path / "run", photos, [narrow], 2, steps=2, seed=3)
    model = tmp_path / "run" / "model.safetensors"
    about = weights.describe(model)
    assert (about["kind"], about["shape"], about["receptive_radius"]) == (
        "features", "compact", "73"
    )  # fmt: skip
    assert about["license"] == "Apache-2.0" and "licence" not in about
    assert '"seed": 3' in about["training"] and '"narrow.safetensors"' in about["training"]
    assert model.stat().st_size < 1_500_000  # half precision of 0.56 million numbers
    network = features.load(str(model))
    taps = network(torch.rand((1, 3, 32, 32)), ["1_1", "5_1"])
    assert taps["5_1"].shape == (1, 128, 2, 2) and torch.isfinite(taps["5_1"]).all()


def test_the_same_seed_gives_the_same_network(tmp_path: Path, photos: Path, narrow: Path) -> None:
    runs = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(tmp_path / name, photos, [narrow], 3, steps=3, seed=seed)
        runs[name] = (tmp_path / name / "model.safetensors").read_bytes()
    states = {n: weights.read(tmp_path / n / "model.safetensors") for n in runs}
    for key, tensor in states["a"].items():
        np.testing.assert_array_equal(tensor, states["b"][key])
    key = "convolutions.3_1.weight"
    assert (states["a"][key] - states["c"][key]).abs().max() > 0.01


def test_options_out_of_range_and_empty_folders_are_refused(
    tmp_path: Path, photos: Path, narrow: Path
) -> None:
    with pytest.raises(OptionError, match=r"--size 31: must be at least 32$"):
        train_features([photos], tmp_path / "run", teacher=[narrow], size=31)
    for option in ("steps", "batch_size", "save_every"):
        says = f"--{option.replace('_', '-')} 0: must be at least 1$"
        with pytest.raises(OptionError, match=says):
            train_features([photos], tmp_path / "run", teacher=[narrow], **{option: 0})
    assert not (tmp_path / "run").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: holds no picture of at least 32×32"):
        train_features([tmp_path / "empty"], tmp_path / "b", teacher=[narrow], size=32, steps=1)
    with pytest.raises(LimnerError):  # pictures of 64 pixels give no crop of 128
        train_features([photos], tmp_path / "c", teacher=[narrow], steps=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, photos: Path, narrow: Path) -> Path:
    """A run of six steps without an interruption."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    train(run, photos, [narrow], 6, steps=6, save_every=4)
    return run


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [2, 4, 5], ids=["before a save", "at a save", "after a save"])
def test_a_resumed_run_gives_the_same_weights(
    tmp_path: Path, photos: Path, narrow: Path, whole: Path, stop_at: int
) -> None:
    """A run that is stopped saves a checkpoint where it stops, and continues from there."""
    train(tmp_path, photos, [narrow], stop_at, steps=6, save_every=4)
    torch.rand(5)  # the global random state does not matter
    told = train(tmp_path, photos, [narrow], 6, steps=6, save_every=4, resume=True)
    assert [progress.step for progress in told] == list(range(stop_at + 1, 7))
    same(*(torch.load(run / "checkpoint.pt", weights_only=True) for run in (whole, tmp_path)))
    same(*(weights.read(run / "model.safetensors") for run in (whole, tmp_path)))


def test_training_leaves_the_random_state_alone(tmp_path: Path, photos: Path, narrow: Path) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    train(tmp_path, photos, [narrow], 1, steps=2)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_run_moves_between_devices(tmp_path: Path, photos: Path, narrow: Path) -> None:
    train(tmp_path, photos, [narrow], 2, steps=4, save_every=2, device="cuda")
    told = train(tmp_path, photos, [narrow], 3, steps=4, save_every=2, device="cpu", resume=True)
    assert [progress.step for progress in told] == [3]
    told = train(tmp_path, photos, [narrow], 4, steps=4, save_every=2, device="cuda", resume=True)
    assert [progress.step for progress in told] == [4] and np.isfinite(told[0].loss)


def test_an_unknown_device_is_refused(tmp_path: Path, photos: Path, narrow: Path) -> None:
    with pytest.raises(OptionError, match="--device gpu: must be one of auto, cpu, cuda, mps"):
        train_features([photos], tmp_path / "run", teacher=[narrow], device="gpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_scores_are_those_of_the_held_out_pictures(tmp_path: Path, narrow: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(24):  # some of these names are held out
        coarse = random.integers(0, 256, (9, 9, 3), dtype=np.uint8)
        large = Image.fromarray(coarse).resize((256, 256), Image.Resampling.BICUBIC)
        large.save(tmp_path / f"{number}.png")
    scores = train_features(
        [tmp_path], tmp_path / "run", teacher=[narrow], steps=2, batch_size=2, size=32
    )
    assert list(scores) == [f"0/{tap}" for tap in ("3_1", "4_1", "4_2", "5_1", "3_3", "4_3")]
    # computed again from the file that was written
    network = features.load(str(tmp_path / "run" / "model.safetensors"), padding="replicate")
    teacher = Teacher(weights.read(narrow), "narrow")
    teacher.calibrate(Crops([tmp_path], 32).batch(32, generator(0, 0)))
    crops, found = Crops([tmp_path], 256, held_out=True), []
    for number in range(16):
        batch = crops.batch(4, generator(1, number))
        ours, theirs = (x.numpy() for x in (network(batch, ["4_1"])["4_1"], teacher(batch)["4_1"]))
        variance = np.square(theirs - theirs.mean((0, 2, 3), keepdims=True)).mean()
        found.append(1 - np.square(ours - theirs).mean() / variance)
    assert scores["0/4_1"] == pytest.approx(float(np.mean(found)), rel=0.01, abs=0.01)
