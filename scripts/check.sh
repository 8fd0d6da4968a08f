#!/usr/bin/env bash
# Every check there is, with what this machine has: format, lints, tests, documentation, licences, fuzz targets, shell
# scripts, workflows, pages. Installs nothing; what is missing is named and skipped, unless MSCONV_REQUIRE_REAL=1 (scripts/test.sh).
set -euo pipefail
# shellcheck source=scripts/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"
cd "$root"
results=$(mktemp)
trap 'rm -f "$log" "$results"' EXIT

usage() {
  cat <<'TEXT'
usage: scripts/check.sh [--quick] [TEST_NAME...]

  --quick    only what takes no encoding: format, lints, documentation, and the tests that need no other program

With names, only tests whose name holds one of them are run; the other checks run all the same.
TEXT
}
quick=
case ${1:-} in
  --quick) quick=yes && shift ;;
  -h | --help) usage && exit 0 ;;
  -?*) usage >&2 && exit 2 ;;
esac

[ -d "$HOME/.cargo/bin" ] && PATH=$HOME/.cargo/bin:$PATH
have cargo || fail "there is no cargo" "scripts/setup.sh"
skipped=()
# Names a part that is missing here; a failure where nothing may be skipped.
skip() {
  skipped+=("$1")
  if [ "${MSCONV_REQUIRE_REAL:-}" = 1 ]; then
    say "error: $1 is missing, and nothing may be skipped"
    return 1
  fi
  say "skipped: $1 not found"
}

failed=()
# Runs one check; a failed one does not keep the others from running.
check() {
  local name=$1 begun=$SECONDS outcome=passed
  shift
  step "$name"
  "$@" || { failed+=("$name") && outcome=FAILED; }
  say "($name $outcome after $((SECONDS - begun)) s)"
}

format() { cargo fmt --all -- --check; }
lints() { cargo clippy --locked --all-targets -- -D warnings; }
documentation() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items; }
# By cargo nextest, which .config/nextest.toml sets up, or by cargo alone, without a time limit for each test.
tests() {
  if ! cargo nextest --version >/dev/null 2>&1; then
    say "note: cargo nextest is not here; no test has a time limit"
    cargo test --locked --no-fail-fast -- "$@" 2>&1 | tee "$results"
    return
  fi
  local outcome=0 report=$root/target/nextest/${NEXTEST_PROFILE:-default}/junit.xml
  rm -f "$report"
  cargo nextest run --locked "$@" 2>&1 | tee "$results" || outcome=1
  # The examples in the documentation, which nextest does not run.
  cargo test --locked --quiet --doc 2>&1 | tee -a "$results" || outcome=1
  # What was skipped stands in the output of tests that passed.
  [ ! -f "$report" ] || sed -n 's/^.*\(skipped: [^<]*\).*$/\1/p' "$report" >>"$results"
  return $outcome
}
licences() {
  if cargo deny --version >/dev/null 2>&1; then
    cargo deny --offline check licenses bans sources
  else
    say "note: cargo deny is not here; the test dependencies::licences_and_bans_of_deny_toml_are_kept looked instead"
  fi
}
oldest_rust() {
  local oldest
  oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  if rustc --version | grep -q "^rustc ${oldest}[. ]"; then
    say "note: this is Rust $oldest, the oldest that shall do: the lints have compiled everything with it"
  elif have rustup && rustup toolchain list 2>/dev/null | grep -q "^$oldest"; then
    cargo "+$oldest" check --locked --all-targets --target-dir "$target/oldest"
  else
    say "note: Rust $oldest, the oldest that shall do, is not here (rustup toolchain install $oldest)"
  fi
}
fuzz_targets() {
  [ -f fuzz/Cargo.toml ] || return 0
  if have rustup && rustup toolchain list 2>/dev/null | grep -q '^nightly' && cargo fuzz --version >/dev/null 2>&1; then
    # Without optimisation: that they build is the question here; scripts/fuzz.sh runs them.
    cargo +nightly fuzz build --dev
  else
    # Without the fuzzer they shall at least compile.
    say "note: cargo fuzz and a nightly Rust are not here; the targets are only checked"
    cargo check --manifest-path fuzz/Cargo.toml --target-dir "$target"
  fi
}
shell_scripts() {
  if have shellcheck; then
    shellcheck -x scripts/*.sh scripts/engine/*.sh .ci/run docker/nginx-rtmp/{start,healthy,own-folders,keep-small}
  else
    skip "shellcheck"
  fi
}

# The scripts of the pages: types, and the rules that need no browser. web/dist is built by whoever builds msconv.
pages() {
  if ! have npm || [ ! -d web/node_modules/typescript ]; then
    skip "typescript (npm ci in web/)"
    return
  fi
  (cd web && npm run --silent check && npm run --silent test)
}

workflows() {
  if have actionlint; then actionlint .github/workflows/*.yml; else say "note: actionlint is not here"; fi
}

if [ -n "$quick" ]; then
  export MSCONV_TEST_QUICK=1 NEXTEST_PROFILE=quick
  unset MSCONV_REQUIRE_REAL
fi
check "format" format
check "shell scripts" shell_scripts
check "workflows" workflows
check "pages" pages
check "lints" lints
check "tests" tests "$@"
check "documentation" documentation
if [ -z "$quick" ]; then
  check "licences" licences
  check "oldest Rust" oldest_rust
  check "fuzz targets" fuzz_targets
fi

step "summary"
grep -E '^skipped: ' "$results" | sort | uniq -c || true
[ ${#skipped[@]} -eq 0 ] || say "not found: ${skipped[*]}"
grep -E '^( +(Running|Doc-tests|FAIL|TIMEOUT|Summary)|test .*FAILED|test result)' "$results" | awk '!seen[$0]++' || true
if [ ${#failed[@]} -gt 0 ]; then
  say "FAILED: ${failed[*]}"
  exit 1
fi
