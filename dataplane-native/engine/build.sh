#!/usr/bin/env bash
# Builds Wasmtime's C API (a shared library and its headers) at the pinned version, and prints the folder that holds them as its last line.
# Built once for a given content of this folder and kept outside the tree; the cache may be removed at any time.
set -euo pipefail
cd "$(dirname "$0")"
hash=$(cat Cargo.toml Cargo.lock src/lib.rs build.sh | sha256sum | cut -c1-32)
cache=${NFACTOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nfactor}
out=$cache/engine/$hash
if [ -e "$out/complete" ]; then
  echo "$out"
  exit 0
fi
mkdir -p "$cache/engine"
exec 9>"$cache/engine/lock"
flock 9 # two builds at once would only be slower
if [ ! -e "$out/complete" ]; then
  target=${NFACTOR_ENGINE_TARGET:-$cache/engine/target}
  cargo build --release --locked --target-dir "$target"
  crate=$(cargo metadata --locked --format-version 1 | tr ',' '\n' | sed -n 's/.*"manifest_path":"\(.*wasmtime-c-api-impl[^"]*\)\/Cargo.toml".*/\1/p' | head -n 1)
  staging=$out.$$
  rm -rf "$staging"
  mkdir -p "$staging/lib"
  cp "$target/release/libnfengine.so" "$staging/lib/"
  cp -r "$crate/include" "$staging/include"
  # The header that tells what was built in: the crate ships it as a template for CMake.
  sed -e 's/^#cmakedefine \(WASMTIME_FEATURE_\(CRANELIFT\|WAT\)\)$/#define \1/' -e 's/^#cmakedefine .*//' \
    "$crate/include/wasmtime/conf.h.in" >"$staging/include/wasmtime/conf.h"
  touch "$staging/complete"
  rm -rf "$out"
  mv "$staging" "$out"
  rm -rf "$cache/engine/target"
fi
echo "$out"
