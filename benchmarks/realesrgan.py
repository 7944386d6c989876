"""Measure Real-ESRGAN's networks in limner, in ncnn and in ONNX Runtime, on this CPU.

    python benchmarks/realesrgan.py [SIDE]

Needs limner[realesrgan], ncnn, onnx and onnxruntime. The picture is a part of the example photo,
SIDE pixels wide and high (128). Times are medians; the three take turns.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import ncnn
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from limner import io
from limner.upscaling import models, realesrgan
from limner.upscaling.ncnn import Graph

ROUNDS = 5
Floats = NDArray[np.float32]
Run = Callable[[Floats], Floats]


def main() -> None:
    """Print everything."""
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 128
    photo = io.read(Path(__file__).parents[1] / "examples" / "photo.jpg").rgb
    picture = (photo[0, :, :side, :side].float() / photo.max()).numpy()
    for name in realesrgan.FILES:
        path = realesrgan.find(name)
        runs = {"limner": by_limner(path), "ncnn": by_ncnn(path), "ONNX Runtime": by_onnx(path)}
        seconds: dict[str, list[float]] = {way: [] for way in runs}
        results = {}
        for _ in range(ROUNDS):
            for way, run in runs.items():
                began = time.perf_counter()
                results[way] = run(picture)
                seconds[way].append(time.perf_counter() - began)
        times = {way: median(taken) for way, taken in seconds.items()}
        away = 255 * np.abs(results["limner"] - results["ncnn"])
        print(f"{name}, {side} px: ", end="")
        print(", ".join(f"{way} {1000 * taken:.0f} ms" for way, taken in times.items()), end="")
        best = min(times["ncnn"], times["ONNX Runtime"])
        print(f"; {times['limner'] / best:.2f} times the better of both; ", end="")
        print(f"{away.mean():.5f} of 255 from ncnn, {away.max():.4f} at most")


def by_limner(path: Path) -> Run:
    """Run a network as limner does."""
    network = models.load(path, torch.device("cpu"))

    @torch.inference_mode()
    def run(picture: Floats) -> Floats:
        made: Floats = network(torch.from_numpy(picture)[None])[0].numpy()
        return made

    return run


def by_ncnn(path: Path) -> Run:
    """Run a network in ncnn, in 32 bits."""
    network = ncnn.Net()
    options = network.opt
    options.num_threads = torch.get_num_threads()
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
    network.load_param(str(path))
    network.load_model(str(path.with_suffix(".bin")))

    def run(picture: Floats) -> Floats:
        extractor = network.create_extractor()
        extractor.input("data", ncnn.Mat(picture).clone())
        return np.array(extractor.extract("output")[1], copy=True)

    return run


def by_onnx(path: Path) -> Run:
    """Convert a network to ONNX, and run it in ONNX Runtime."""
    nodes: list[NodeProto] = []
    constants: list[TensorProto] = []
    place = {"data": "data"}

    def add(kind: str, inputs: list[str], **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [f"x{len(nodes)}"], **attributes))
        return f"x{len(nodes) - 1}"

    def constant(values: Floats) -> str:
        constants.append(numpy_helper.from_array(values, f"c{len(constants)}"))
        return f"c{len(constants) - 1}"

    for layer in Graph(path).layers:
        inputs = [place[name] for name in layer.inputs] or ["data"]
        arrays = [weights.numpy() for weights in layer.weights]
        if layer.kind == "Convolution":
            made = add("Conv", [*inputs, *map(constant, arrays)], pads=[1, 1, 1, 1])
            if layer.number(9):
                made = add("LeakyRelu", [made], alpha=layer.number(10))
        elif layer.kind == "PReLU":
            made = add("PRelu", [*inputs, constant(arrays[0][:, None, None])])
        elif layer.kind == "Concat":
            made = add("Concat", inputs, axis=1)
        elif layer.kind == "PixelShuffle":
            made = add("DepthToSpace", inputs, blocksize=int(layer.number(0)), mode="CRD")
        elif layer.kind == "Interp":
            scales = constant(np.array([1, 1, *[layer.number(2)] * 2], np.float32))
            modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            made = add("Resize", [inputs[0], "", scales], **modes)
        elif layer.kind in ("BinaryOp", "Eltwise"):
            inputs = [
                one if factor == 1 else add("Mul", [one, constant(np.array(factor, np.float32))])
                for factor, one in zip(layer.factors, inputs, strict=True)
            ]
            made = add("Add", inputs)
        else:
            made = inputs[0]
        place |= dict.fromkeys(layer.outputs, made)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, None, None])
        for name in ("data", made)
    ]
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)

    def run(picture: Floats) -> Floats:
        large: Floats = session.run(None, {"data": picture[None]})[0][0]
        return large

    return run


if __name__ == "__main__":
    main()
