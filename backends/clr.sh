#!/usr/bin/env bash
# A real .NET runtime and programs for `hostmem host`: fetched, compiled, run in every mode.
#
#   backends/clr.sh fetch            gets the runtime (from PyPI) and compiles the programs
#   backends/clr.sh check [NAME…]    every program in every mode: the output of plain Wine, no
#                                    call past the host, no divergence
#   backends/clr.sh bypass [NAME…]   Wine's own log of calls: none comes from the runtime itself
#   backends/clr.sh times [NAME…]    the time of each mode, as a ratio to plain Wine (FULL=1: of
#                                    programs at their full length)
#   backends/clr.sh record [NAME…]   records programs, for scenarios/clr
#   backends/clr.sh packages         the Debian packages that this needs, on one line
#
# The runtime is Microsoft's .NET Core 3.1.23 for Windows, in the Python package dotnetcore2. It
# lies in the build folder, where `hostmem host` looks for it, and is never committed. The
# Windows build of hostmem is that of backends/windows.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

version=3.1.23
build=$(realpath -m "${CARGO_TARGET_DIR:-target}")
home=$build/clr
exe=$build/x86_64-win7-windows-gnu/release/hostmem.exe
shared=$home/runtime/shared/Microsoft.NETCore.App/$version
sources=scenarios/clr/programs
packages="mono-mcs python3-pip wine wine64"
all="hello applike jit loh alc churn exc grow mixed pinned threads"

need() {
  command -v "$1" >/dev/null || {
    echo "$1 is missing; as root: apt-get install --no-install-recommends $packages" >&2
    exit 1
  }
}

fetch() {
  need python3
  need mcs
  if [ ! -e "$shared/coreclr.dll" ]; then
    local tmp
    tmp=$(mktemp -d)
    python3 -m pip download --quiet --no-deps --only-binary=:all: --platform win_amd64 \
      --dest "$tmp" "dotnetcore2==$version"
    python3 -m zipfile -e "$tmp"/dotnetcore2-*.whl "$tmp"
    mkdir -p "$home"
    rm -rf "$home/runtime"
    mv "$tmp/dotnetcore2/bin" "$home/runtime"
    rm -rf "$tmp"
  fi
  mkdir -p "$home/programs"
  local references=(-nostdlib -noconfig)
  for library in "$shared"/System*.dll; do references+=("-r:$library"); done
  for source in "$sources"/*.cs; do
    local name target=exe
    name=$(basename "$source" .cs)
    [ "$name" != plug ] || target=library
    [ "$home/programs/$name.dll" -nt "$source" ] && continue
    mcs "${references[@]}" -unsafe -warn:0 "-target:$target" "-out:$home/programs/$name.dll" "$source"
    cat >"$home/programs/$name.runtimeconfig.json" <<JSON
{ "runtimeOptions": { "framework": { "name": "Microsoft.NETCore.App", "version": "3.1.0" },
  "configProperties": { "System.Globalization.Invariant": true } } }
JSON
  done
}

# What all that is run needs; the prefix is there already.
prepare() {
  [ -e "$exe" ] || { echo "$exe is missing; run backends/windows.sh build" >&2; exit 1; }
  [ -e "$shared/coreclr.dll" ] || { echo "no runtime; run $0 fetch" >&2; exit 1; }
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
  wine "$exe" list profiles >/dev/null
}

# How long a program is to run.
amount() {
  [ -z "${FULL:-}" ] || return 0 # as long as the program likes
  case $1 in
  applike) echo 50 ;;
  jit) echo 20 500 ;;
  loh) echo 400 ;;
  alc) echo 10 ;;
  churn) echo 30 ;;
  exc) echo 60 ;;
  grow) echo 100 ;;
  mixed) echo 1500 ;;
  pinned) echo 20000 ;;
  threads) echo 3 ;;
  esac
}

plain() { timeout 300 wine "$home/runtime/dotnet.exe" "$home/programs/$1.dll" $(amount "$1"); }

hosted() {
  local name=$1
  shift
  timeout 300 wine "$exe" host --runtime "$home/runtime" "$@" "$home/programs/$name.dll" $(amount "$name")
}

# What is the same each time: not how often the collector ran, what threads race for, nor how deep
# a stack goes.
settled() { tr -d "\r" | sed -E "s/ gcs .*//; s/^(mixed) .*/\1/; s/^(exc [0-9]+) .*/\1/"; }

fail() {
  echo "$*" >&2
  failed=1
}

in_mode() {
  local name=$1 status=0
  shift
  hosted "$name" "$@" >"$out/stdout" 2>"$out/stderr" || status=$?
  if [ $status -ne 0 ] || ! cmp -s "$out/plain" <(settled <"$out/stdout"); then
    fail "$name $*: exit status $status, and not the output of plain Wine"
    cat "$out/stdout" "$out/stderr" >&2
  elif ! grep -q "no call went past" "$out/stderr" || grep -Eq "diverges:|NOT " "$out/stderr"; then
    fail "$name $*: a call went past the host, or an answer diverges"
    cat "$out/stderr" >&2
  fi
}

check() {
  prepare
  failed=0
  for name in "$@"; do
    plain "$name" 2>/dev/null | settled >"$out/plain"
    in_mode "$name" --counts
    in_mode "$name" --check
    in_mode "$name" --serve
    in_mode "$name" --serve --check
    in_mode "$name" --record "$out/$name.json.zst"
    wine "$exe" replay "$out/$name.json.zst" --backend model --backend win32 >"$out/replay" 2>&1 ||
      { fail "$name: the recording does not replay"; cat "$out/replay" >&2; }
    echo "$name: $(cat "$out/plain"); $(grep "calls judged" "$out/stderr" | cut -d: -f1)"
  done
  for mode in "" --serve; do
    hosted oom $mode --pressure "$sources/short.pressure" >"$out/stdout" 2>"$out/stderr" || fail "oom: exit status $?"
    grep -q "oom caught True went on True" "$out/stdout" && grep -q "script refused 12 calls$" "$out/stderr" &&
      ! grep -q "diverges:" "$out/stderr" || { fail "oom $mode under pressure"; cat "$out/stdout" "$out/stderr" >&2; }
  done
  [ $failed -eq 0 ] && echo "every program in every mode: as on plain Wine"
  exit $failed
}

# The calls of kernel32's memory functions whose return address lies in the runtime's modules.
bypass() {
  prepare
  local functions="VirtualAlloc;VirtualAllocExNuma;VirtualFree;VirtualProtect;VirtualQuery;GetWriteWatch;ResetWriteWatch;GlobalMemoryStatusEx;MapViewOfFile;MapViewOfFileEx;UnmapViewOfFile;CreateMemoryResourceNotification"
  wine reg add 'HKCU\Software\Wine\Debug' /v RelayInclude /f \
    /d "kernel32.${functions//;/;kernel32.}" >/dev/null
  wineserver -w
  for name in "$@"; do
    WINEDEBUG=+relay,+loaddll hosted "$name" --check >"$out/stdout" 2>"$out/log"
    python3 - "$name" "$out/log" <<'PYTHON'
import re, sys
name, log = sys.argv[1:]
lines = open(log, errors="replace").read().splitlines()
bases = {}
for line in lines:
    found = re.search(r'Loaded L"[^"]*\\(coreclr|clrjit)\.dll" at (?:0x)?([0-9A-Fa-f]+)', line)
    if found:
        bases[found[1]] = int(found[2], 16)
sizes = {"coreclr": 0x600000, "clrjit": 0x200000}
past, all_calls = [], 0
for line in lines:
    call = re.search(r'Call KERNEL32\.(\w+)\(.*\) ret=([0-9a-fA-F]+)', line)
    if call:
        all_calls += 1
        at = int(call[2], 16)
        past += [call[1] for module, base in bases.items() if base <= at < base + sizes[module]]
print(f"{name}: {all_calls} calls in Wine's log, {len(past)} of them from {' and '.join(sorted(bases))}")
sys.exit(len(past) > 0 or len(bases) < 2 or all_calls == 0)
PYTHON
  done
}

times() {
  prepare
  export ROUNDS=${ROUNDS:-5} exe home
  echo "medians over $ROUNDS paired runs, as ratios to plain Wine: processor time (time by the clock)"
  for name in "$@"; do
    # shellcheck disable=SC2046
    python3 - "$name" $(amount "$name") <<'PYTHON'
import os, statistics, subprocess, sys, time
name, *amount = sys.argv[1:]
exe, home = os.environ["exe"], os.environ["home"]
app = [f"{home}/programs/{name}.dll", *amount]
host = ["wine", exe, "host", "--quiet", "--runtime", f"{home}/runtime"]
modes = {"pass through": [], "--check": ["--check"], "--serve": ["--serve"],
         "--serve --check": ["--serve", "--check"]}

def spent(command):
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(child.pid, 0)
    return used.ru_utime + used.ru_stime, time.monotonic() - began

ratios = {mode: [] for mode in modes}
for _ in range(int(os.environ["ROUNDS"])):
    plain = spent(["wine", f"{home}/runtime/dotnet.exe", *app])
    for mode, options in modes.items():
        ours = spent([*host, *options, *app])
        ratios[mode].append((ours[0] / plain[0], ours[1] / plain[1]))
middle = lambda pairs, at: statistics.median(pair[at] for pair in pairs)
told = (f"{mode} {middle(r, 0):.2f} ({middle(r, 1):.2f})" for mode, r in ratios.items())
print(f"{name}: " + ", ".join(told), flush=True)
PYTHON
  done
}

record() {
  prepare
  for name in "$@"; do
    hosted "$name" --record "$name.json.zst" 2>&1 | grep recorded
  done
}

case ${1:-} in
packages) echo "$packages" ;;
fetch) fetch ;;
check | bypass | times | record)
  command=$1
  shift
  # shellcheck disable=SC2086
  exec backends/windows.sh prefix backends/clr.sh inside "$command" ${@:-$all}
  ;;
inside) # a prefix of its own
  "${@:2}"
  ;;
*)
  sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2
  exit 1
  ;;
esac
