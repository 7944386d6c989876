"""Networks as ONNX files, for other programs."""
