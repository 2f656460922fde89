#!/usr/bin/env bash
# Installs what the build needs: Debian packages and libtorch (from the PyPI wheel, into .venv).
# Idempotent: does nothing, and needs no network, when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(g++ cmake ninja-build pkg-config python3-venv libyaml-cpp-dev nlohmann-json3-dev
  libsimdjson-dev libcli11-dev libfmt-dev libicu-dev libpcre2-dev libhwy-dev libzstd-dev
  zlib1g-dev libssl-dev libcpp-httplib-dev libgtest-dev libgmock-dev)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  echo "setup: installing Debian packages: ${missing[*]}"
  sudo=$([ "$(id -u)" = 0 ] || echo sudo)
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if [ -z "${Torch_DIR:-}" ] && [ ! -e .venv/.torch-2.13.0 ]; then
  echo "setup: installing libtorch 2.13.0 (the PyPI wheel) into .venv"
  python3 -m venv .venv
  pip() { .venv/bin/python -m pip -q --disable-pip-version-check "$@"; }
  pip install --no-deps torch==2.13.0
  # PyPI's wheel for x86-64 is a CUDA build: its CPU part loads these two of CUDA's libraries.
  if compgen -G '.venv/lib/python*/site-packages/torch/lib/libtorch_cuda.so' >/dev/null; then
    pip install --no-deps nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85
  fi
  touch .venv/.torch-2.13.0
fi
