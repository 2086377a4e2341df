#!/usr/bin/env bash
# Makes of a tag what a release consists of: DIR/packages/ with sdist and wheel, DIR/notes.md
# and, where cyclonedx-py is installed, DIR/sbom.cdx.json. Builds twice: other bytes are an error.
#
#   scripts/release.sh v0.2.0 DIR
set -euo pipefail

if [ $# -ne 2 ] || [ -z "$1" ] || [ -z "$2" ]; then
    echo "usage: scripts/release.sh TAG DIR" >&2
    exit 2
fi
tag=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."

version=$(python -P scripts/release.py check "$tag")
SOURCE_DATE_EPOCH=$(python -P scripts/release.py epoch "$version")
export SOURCE_DATE_EPOCH

again=$(mktemp -d)
trap 'rm -rf "$again"' EXIT
python -P -m hatchling build --directory "$out/packages" >/dev/null
python -P -m hatchling build --directory "$again" >/dev/null
diff --recursive "$out/packages" "$again"

python -P scripts/release.py notes "$version" >"$out/notes.md"
if command -v cyclonedx-py >/dev/null; then
    cyclonedx-py requirements --pyproject pyproject.toml --mc-type library \
        --output-reproducible --output-format JSON --output-file "$out/sbom.cdx.json" requirements.lock
else
    echo "no sbom.cdx.json: cyclonedx-py is not installed (requirements-release.lock)" >&2
fi
ls -l "$out" "$out/packages"
