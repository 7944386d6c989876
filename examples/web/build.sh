#!/usr/bin/env bash
# Put the page, ONNX Runtime Web and two networks into one folder, which any web server can serve:
#
#   examples/web/build.sh page/
#   python -m http.server --bind 127.0.0.1 --directory page/ 8000
#
# Needs npm, and limner[export] for the networks.
set -euo pipefail
if [ $# -ne 1 ]; then
    echo "usage: build.sh FOLDER" >&2
    exit 2
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm pack --loglevel error --pack-destination "$work" onnxruntime-web@1.30.0 > /dev/null
tar -xzf "$work"/onnxruntime-web-*.tgz -C "$work"
for file in ort.wasm.min.mjs ort-wasm-simd-threaded.mjs ort-wasm-simd-threaded.wasm; do
    cp "$work/package/dist/$file" "$folder/"
done

cp index.html style.css main.js worker.js "$folder/"

limner export upscaler-fast-x4 -o "$folder/upscaler.onnx" --overwrite
limner export beautifier -o "$folder/beautifier.onnx" --overwrite
