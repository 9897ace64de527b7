#!/usr/bin/env bash
# Everything that must be seen on a machine with an NVIDIA GPU, in one run that needs nothing from the network. Carry along: this checkout with its node_modules,
# and, where the machine has no Node 20 or later, one unpacked into tools/node (https://nodejs.org, linux-x64: `tar xf node-v20...-linux-x64.tar.xz --strip-components=1 -C tools/node`).
# `scripts/on-gpu/pack.sh` puts both into one file, tools/carried.tar.xz, which this script unpacks. results/README.md has the calls for a machine that is there for minutes.
# nvcc compiles the candidates; where it is missing NVRTC does: carry along a folder tools/nvrtc with lib/libnvrtc.so.*, lib/libnvrtc-builtins.so.* and include/ (with cccl/), as
# `pip install nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cuda-cccl` leaves them; the driver assembles its PTX. PyTorch is found by ASSAY_PYTHON.
#
#   scripts/on-gpu.sh                          all stages; writes results/DATE-DEVICE/
#   scripts/on-gpu.sh --stages device,corpora --filter softmax
#   scripts/on-gpu.sh --quick                  a few small things of every stage
#   scripts/on-gpu.sh --out DIR --seconds 540  stops beginning new things after that time; run again into DIR, it does the rest
#   scripts/on-gpu.sh --at-once 8              shares out what is not timed (the corpora) among so many processes
#   ASSAY_FAKE_CUDA=1 scripts/on-gpu.sh        the same over the fake driver: proves that the script runs, writes to a temporary folder, measures nothing
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -d node_modules/koffi ] && [ -f tools/carried.tar.xz ]; then tar --extract --xz --file tools/carried.tar.xz; fi
node="${ASSAY_NODE:-}"
if [ -z "$node" ] && [ -x tools/node/bin/node ]; then node="$PWD/tools/node/bin/node"; fi
if [ -z "$node" ]; then node="$(command -v node || true)"; fi
if [ -z "$node" ] || ! "$node" -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)'; then
  echo "Node 20 or later was not found. Unpack one into tools/node, or set ASSAY_NODE." >&2
  exit 2
fi
if [ ! -d node_modules/koffi ]; then
  echo "node_modules is missing or incomplete. Run \`npm ci\` where there is a network, and carry the folder along." >&2
  exit 2
fi
export PATH="$(dirname "$node"):$PATH:/usr/local/cuda/bin"
if [ -z "${ASSAY_NVRTC:-}" ] && ! command -v nvcc >/dev/null; then
  for library in "$PWD"/tools/nvrtc/lib/libnvrtc.so.*; do
    if [ -e "$library" ]; then export ASSAY_NVRTC="$library"; break; fi
  done
fi
exec "$node" --import tsx scripts/on-gpu.ts "$@"
