#!/usr/bin/env bash
# hostmem for Windows, built on Debian without rustup's targets, and run under Wine.
#
#   backends/windows.sh build             builds hostmem.exe where `--backend wine` looks for it
#   backends/windows.sh run ARGUMENTS…    runs it under Wine in a fresh prefix, gone afterwards
#   backends/windows.sh prefix COMMAND…   runs any command in such a prefix: `prefix wine a.exe`
#   backends/windows.sh check             what `.ci/windows-checks` puts hostmem.exe through
#   backends/windows.sh bench             the time of bare and of cross-checked calls, under Wine
#   backends/windows.sh packages          the Debian packages that this needs, on one line
#   backends/windows.sh ready             whether they are there, and new enough
#
# The target is x86_64-win7-windows-gnu because Wine 8.0 lacks bcryptprimitives.dll, which the
# standard library of x86_64-pc-windows-gnu imports; it has no binary standard library, so that is
# built too (about a minute the first time). On Windows itself, or with rustup's target and a
# newer Wine, a plain `cargo build --release` does.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."

target=x86_64-win7-windows-gnu
built=$(realpath -m "${CARGO_TARGET_DIR:-target}")/$target/release
exe=$built/hostmem.exe
packages="rustc-web cargo-web rust-web-src gcc-mingw-w64-x86-64 g++-mingw-w64-x86-64 wine wine64"

missing() {
  echo "$1 is missing; as root: apt-get update; apt-get install --no-install-recommends $packages" >&2
  exit 1
}

need() {
  [ -e "$1" ] || command -v "$1" >/dev/null || missing "$1"
}

# Of Debian's compiler an old version does not know the target.
ready() {
  need /usr/bin/cargo
  need x86_64-w64-mingw32-gcc
  need x86_64-w64-mingw32-g++
  need wine
  /usr/bin/rustc --print target-list 2>/dev/null | grep -x "$target" >/dev/null ||
    missing "a /usr/bin/rustc for $target"
}

# Debian's own compiler, not rustup's: only it comes with the sources of its standard library.
# The same flags every time, so that nothing is built twice.
cross_cargo() {
  ready
  local command=$1
  shift
  # The crate that builds zstd knows the compiler of no win7 target.
  export CC_x86_64_win7_windows_gnu=x86_64-w64-mingw32-gcc AR_x86_64_win7_windows_gnu=x86_64-w64-mingw32-ar
  RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 /usr/bin/cargo "$command" \
    --release --locked -Zbuild-std=std,panic_unwind --target "$target" "$@"
}

have_exe() {
  [ -e "$exe" ] || { echo "$exe is missing; run $0 build" >&2; exit 1; }
}

# Runs a command in a prefix of its own.
prefix() {
  need wine
  WINEPREFIX=$(mktemp -d)
  # No dialogs about browsers and .NET, which a fresh prefix would offer to install.
  export WINEPREFIX WINEDEBUG=${WINEDEBUG:--all} WINEDLLOVERRIDES="mscoree,mshtml="
  # However this ends. The server outlives its last program by a moment, and writes to the prefix.
  trap 'wineserver -k >/dev/null 2>&1 || true; wineserver -w; rm -rf "$WINEPREFIX"' EXIT
  local status=0
  "$@" || status=$?
  exit "$status"
}

case ${1:-} in
packages)
  echo "$packages"
  ;;
ready)
  ready
  ;;
build)
  cross_cargo build -p hostmem -p hostmem-comlib -p hostmem-bindings
  echo "built $exe"
  ;;
bench)
  need wine
  cross_cargo build -p hostmem-speed --bench calls
  bench=$(ls -t "$built/deps"/calls-*.exe | head -1)
  prefix wine "$bench" --bench
  ;;
run)
  shift
  have_exe
  cd "$here"
  prefix wine "$exe" "$@"
  ;;
check)
  have_exe
  prefix .ci/windows-checks "$built" wine
  ;;
prefix)
  shift
  cd "$here"
  prefix "$@"
  ;;
*)
  sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2
  exit 1
  ;;
esac
