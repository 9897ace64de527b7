#!/usr/bin/env bash
# Puts Node and the dependencies that on-gpu.sh needs into tools/carried.tar.xz, for a machine that has neither, no network, and takes little: on-gpu.sh unpacks it
# there. It is for the system and processor of this machine. Run where `npm ci` was.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ ! -d node_modules/koffi ]; then
  echo "node_modules is missing or incomplete. Run \`npm ci\` here first." >&2
  exit 2
fi
mkdir -p tools
file="$PWD/tools/carried.tar.xz"
modules="$(realpath node_modules)"
node="$(readlink -f "$(command -v node)")"
staged="$(mktemp -d)"
trap 'rm -rf "$staged"' EXIT
mkdir -p "$staged/tools/node/bin"
ln -s "$node" "$staged/tools/node/bin/node"
ln -s "$modules" "$staged/node_modules"
# Left out: what checks and builds the source, types, sources of what is built, and prebuilt code for other systems.
tar --create --dereference --directory "$staged" \
  --exclude='node_modules/.cache' --exclude='node_modules/@biomejs' --exclude='node_modules/@typescript' --exclude='node_modules/typescript' \
  --exclude='node_modules/@types' --exclude='node_modules/@photostructure/sqlite/src' --exclude='*.map' --exclude='*.d.ts' --exclude='*.d.mts' --exclude='*.d.cts' \
  --exclude='*/prebuilds/darwin-*' --exclude='*/prebuilds/win32-*' \
  tools/node/bin/node node_modules | xz -1 --threads=0 >"$file"
ls -l "$file"
