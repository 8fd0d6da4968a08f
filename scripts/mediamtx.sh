#!/usr/bin/env bash
# A real MediaMTX for the tests, of the version that docker-compose.yml names: built from its published Go module into
# target/mediamtx/mediamtx, since no distribution packages it. A second run finds it there. The last line of its output
# is the path; exit code 3 says that it cannot be had here, and why.
#
# It is the whole server but for the part that replaces itself by a newer release, and compiled for building quickly
# rather than for speed: 70 s of processor time instead of 120. `--optimised` builds it as a release is, into
# target/mediamtx/optimised/mediamtx, for what is measured (scripts/bench.sh web).
set -euo pipefail
# shellcheck source=scripts/machine.sh
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"
tree=
trap 'rm -rf "$log" ${tree:+"$tree"}' EXIT
# Without inlining it is built in half the time.
quick=-gcflags=all=-l place=mediamtx
case "${1:-}" in
  "") ;;
  --optimised) quick='' place=mediamtx/optimised ;;
  *) printf 'usage: scripts/mediamtx.sh [--optimised]\n' >&2 && exit 2 ;;
esac

module=github.com/bluenviron/mediamtx
version=$(sed -n 's|^ *image: bluenviron/mediamtx:\([0-9.]*\).*|v\1|p' "$root/docker-compose.yml")
[ -n "$version" ] || fail "docker-compose.yml names no version of MediaMTX"
built=$target/$place/mediamtx

if [ "$("$built" --version 2>/dev/null || true)" = "$version" ]; then
  say "$built"
  exit 0
fi

cannot() {
  [ ! -s "$log" ] || tail -n 5 "$log" >&2
  say "MediaMTX $version cannot be built here: $1"
  exit 3
}
# Where the archives of go.dev are unpacked; not every PATH has it.
PATH=$PATH:/usr/local/go/bin
have go || cannot "there is no go"
export CGO_ENABLED=0 GOWORK=off
begun=$SECONDS
say "building MediaMTX $version (Go module $module)"
# Outside of any module, so that nothing here is taken for one.
cd /
timeout 120 go mod download -json "$module@$version" >"$log" 2>&1 || cannot "its source could not be fetched"
source=$(sed -n 's/^\t*"Dir": "\(.*\)",$/\1/p' "$log")
need=$(sed -n 's/^go \([0-9.]*\)$/\1/p' "$source/go.mod")
have_go=$(go env GOVERSION | sed 's/^go//; s/[^0-9.].*//')
: >"$log"
at_least "$have_go" "$need" || cannot "go $need is needed, and this is $have_go"

mkdir -p "$target/$place"
tree=$(mktemp -d "$target/mediamtx/tree.XXXXXX")
cp -r "$source/." "$tree"
chmod -R u+w "$tree"
# Two files that a release makes and the module lacks.
printf '%s' "$version" >"$tree/internal/core/VERSION"
printf '// the player of its web pages is left out\n' >"$tree/internal/servers/hls/hls.min.js"
# Its updater brings git and OpenPGP with it, a tenth of the build; no test asks for it.
rm -f "$tree"/internal/upgrade/*.go
cat >"$tree/internal/upgrade/left_out.go" <<'GO'
// Package upgrade is left out of this build.
package upgrade

import "errors"

var errLeftOut = errors.New("this build has no updater")

// CheckVersion says that it is left out.
func CheckVersion(string, string) (bool, error) { return false, errLeftOut }

// Upgrade says that it is left out.
func Upgrade(string, string) error { return errLeftOut }
GO
cd "$tree"
timeout 300 go list -deps -tags nomsgpack . >"$log" 2>&1 || cannot "the modules it is made of could not be fetched"
# Without a codec that nothing here speaks, a fifth of the build.
nice go build -buildvcs=false -tags nomsgpack ${quick:+"$quick"} -ldflags='-s -w' -o mediamtx . >"$log" 2>&1 ||
  { tail -n 20 "$log" >&2; fail "go could not build MediaMTX $version"; }
mv mediamtx "$built"
[ "$("$built" --version)" = "$version" ] || fail "what was built does not say that it is $version"
say "(built after $((SECONDS - begun)) s)"
say "$built"
