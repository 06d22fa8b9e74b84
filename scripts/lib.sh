# shellcheck shell=bash
# What the scripts share: installing what tests need, once.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}

say() { printf '\n== %s\n' "$*" >&2; }

# install_packages COMMAND=PACKAGE…: installs the packages whose commands are
# missing, where that can be done without asking.
install_packages() {
  local missing=() pair
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || missing+=("${pair#*=}")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing: ${missing[*]}; install them with your package manager" >&2
    return 1
  fi
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  say "installing ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# python_environment: a private one with the official clients; prints its path.
python_environment() {
  local venv=$target/python requirements=$root/scripts/requirements.txt
  if ! cmp -s "$requirements" "$venv/requirements.txt"; then
    say "making a Python environment for the official clients"
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$requirements" >&2
    cp "$requirements" "$venv/requirements.txt"
  fi
  echo "$venv"
}

# azure_emulators: two Go programs that tests can do without; prints the folder
# where both are, or fails. What go says is in go/install.log of the target.
azure_emulators() {
  local bin=$target/go/bin program
  command -v go >/dev/null 2>&1 || return 1
  say "entra-emulator and arm-emulator, for Azure's identity part"
  mkdir -p "$bin"
  for program in entra-emulator@v0.9.0 arm-emulator@v0.4.1; do
    # The path within the module is the program's name.
    GOBIN=$bin GOFLAGS=-modcacherw timeout 300 go install \
      "github.com/calvinchengx/${program%@*}/cmd/$program" >>"$target/go/install.log" 2>&1 || return 1
  done
  echo "$bin"
}
