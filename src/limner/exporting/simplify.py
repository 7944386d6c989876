"""Rewrite ONNX models of a fixed size in operations that OpenCV and phones have.

OpenCV's DNN module (4.6) cannot read Clip, nor Min and Max with a constant, nor powers with a
variable exponent. It cannot broadcast one result to the shape of another. NNAPI and Core ML have
only one of the two orders of channels in DepthToSpace.
"""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from limner.nn.onnx_model import onnx_runtime

_BROADCAST = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow")


def simplify(model: Any) -> Any:
    """Return the same model, folded and rewritten. What has no rule stays as it is."""
    return _Rewriter(_fold(model)).rewrite()


def _fold(model: Any) -> Any:
    """Compute what does not depend on the inputs."""
    import onnx

    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3  # errors
    with TemporaryDirectory() as folder:
        path = Path(folder, "folded.onnx")
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        folded = onnx.load(path)
    del folded.opset_import[:]
    folded.opset_import.extend(model.opset_import)
    return folded


class _Rewriter:
    """Replaces the nodes of a model one after the other."""

    def __init__(self, model: Any) -> None:
        from onnx import helper, numpy_helper, shape_inference

        self.model, self.graph = model, model.graph
        self._helper, self._from_array = helper, numpy_helper.from_array
        self.constants = {one.name: numpy_helper.to_array(one) for one in self.graph.initializer}
        inferred = shape_inference.infer_shapes(model).graph
        tensors = (*inferred.value_info, *inferred.input, *inferred.output)
        self.shapes = {
            one.name: [dim.dim_value for dim in one.type.tensor_type.shape.dim] for one in tensors
        }
        floats = (one for one in tensors if one.type.tensor_type.elem_type == 1)  # float32
        self.floats = {one.name for one in floats}
        self.uses = Counter(name for node in self.graph.node for name in node.input)
        self.nodes: list[Any] = []
        self.widened: dict[tuple[str, tuple[int, ...]], str] = {}

    def rewrite(self) -> Any:
        """Rewrite all nodes; return the model."""
        for node in self.graph.node:
            count = len(self.nodes)
            if not self._is_float(node):
                self.nodes.append(node)
            elif node.op_type == "Clip":
                self._clip(*node.input)
            elif node.op_type in ("Min", "Max") and self._constant(node):
                name, limit = self._variable(node), self._constant(node)
                self._clip(name, *(("", limit) if node.op_type == "Min" else (limit,)))
            elif node.op_type in _BROADCAST:
                self._elementwise(node)
            elif node.op_type == "DepthToSpace":
                self._depth_to_space(node)
            else:
                while node.input and not node.input[-1]:  # an optional input that is left out
                    del node.input[-1]
                self.nodes.append(node)
            if len(self.nodes) > count:
                self.nodes[-1].output[0] = node.output[0]
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        kept = [one for one in self.graph.initializer if one.name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)
        return self.model

    def _is_float(self, node: Any) -> bool:
        return bool(node.output) and node.output[0] in self.floats

    def _add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"simplified_{len(self.nodes)}"
        self.nodes.append(
            self._helper.make_node(kind, list(inputs), [name], name=name, **attributes)
        )
        return name

    def _value(self, value: Any) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.array(value, np.float32)
        self.graph.initializer.append(self._from_array(self.constants[name], name))
        return name

    def _constant(self, node: Any) -> str:
        single = (n for n in node.input if n in self.constants and self.constants[n].size == 1)
        return next(single, "")

    def _variable(self, node: Any) -> str:
        return str(next(name for name in node.input if name not in self.constants))

    def _clip(self, name: str, low: str = "", high: str = "") -> None:
        """Write ``low + relu(x - low)``, and ``high - relu(high - x)``."""
        if low:
            limit = float(self.constants[low].item())
            shifted = self._add("Sub", name, self._value([limit])) if limit else name
            name = self._add("Relu", shifted)
            name = self._add("Add", name, self._value([limit])) if limit else name
        if high:
            limit, minus = float(self.constants[high].item()), self._value([-1.0])
            below = self._add("Add", self._add("Mul", name, minus), self._value([limit]))
            negative = self._add("Mul", self._add("Relu", below), minus)
            self._add("Add", negative, self._value([limit]))

    def _elementwise(self, node: Any) -> None:
        wanted = self.shapes.get(node.output[0], [])
        inputs = [self._widen(name, wanted) for name in node.input]
        if node.op_type == "Pow" and inputs[1] not in self.constants:
            self._add("Exp", self._add("Mul", self._add("Log", inputs[0]), inputs[1]))
        else:
            self._add(node.op_type, *inputs)

    def _depth_to_space(self, node: Any) -> None:
        """Sort the channels of the convolution before it, for the mode that phones have."""
        conv = next((one for one in self.nodes if one.output[0] == node.input[0]), None)
        kept = {one.name: one for one in node.attribute}
        block = kept["blocksize"].i
        if (
            conv is None
            or self.uses[conv.output[0]] > 1
            or conv.op_type != "Conv"
            or kept["mode"].s != b"CRD"
        ):
            self.nodes.append(node)
            return
        for place, name in enumerate(conv.input[1:], 1):
            values = self.constants[name]
            split = values.reshape(-1, block**2, *values.shape[1:])
            conv.input[place] = self._value(split.swapaxes(0, 1).reshape(values.shape))
        self._add("DepthToSpace", node.input[0], blocksize=block, mode="DCR")

    def _widen(self, name: str, wanted: list[int]) -> str:
        """Repeat a result along channels by a convolution, and along sides by a resize."""
        shape = self.shapes.get(name, [])
        if name in self.constants or shape == wanted or not len(shape) == len(wanted) == 4:
            return name
        key = name, tuple(wanted)
        if key in self.widened:
            return self.widened[key]
        if shape[1] != wanted[1]:
            ones = self._value(np.ones((wanted[1], 1, 1, 1)))
            name = self._add("Conv", name, ones, kernel_shape=[1, 1])
        if shape[2:] != wanted[2:]:
            factors = [1, 1, wanted[2] / shape[2], wanted[3] / shape[3]]
            modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
            name = self._add(
                "Resize", name, "", self._value(factors), nearest_mode="floor", **modes
            )
        self.widened[key] = name
        return name
