#!/usr/bin/env bash
# From results to a verdict: load, build, gate, report. What CI runs, and what
# a person can run by hand.
#
#   scripts/evaluate.sh --experiment ID [--policy FILE] [--out DIRECTORY]
#                       [-- INGEST-ARGUMENTS…]
#
# What follows -- goes to `python -m loader ingest`; without it nothing is
# loaded. DIRECTORY (evaluation) gets gate.md, for a pull request, and
# report.html. Exit code: the gate's (0 pass, 1 blocked, 5 inconclusive), or
# that of the command that failed (2, 3, 4, 70). 1 is blocked and nothing else.
set -euo pipefail

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

experiment=''
policy=()
out=evaluation
while [ $# -gt 0 ]; do
    case $1 in
        --experiment) experiment=${2:-}; shift 2 || usage ;;
        --policy) policy=(--policy "${2:-}"); shift 2 || usage ;;
        --out) out=${2:-}; shift 2 || usage ;;
        --) shift; break ;;
        *) usage ;;
    esac
done
if [ -z "$experiment" ] || [ -z "$out" ]; then usage; fi
mkdir -p "$out" || exit 2

# the folder this runs in may be a pull request's: nothing in it is imported (-P), and the models
# are those beside this script
EVALMART_PROJECT_DIR=${EVALMART_PROJECT_DIR:-$(cd "$(dirname "$0")/.." && pwd)}
export EVALMART_PROJECT_DIR
evalmart() { python -P -m loader "$@"; }

evalmart init
if [ $# -gt 0 ]; then
    evalmart ingest --experiment-id "$experiment" "$@"
fi
evalmart build --quiet

# asked once: each verdict is recorded, and looking again has a price
verdict=0
evalmart gate --experiment "$experiment" ${policy[@]+"${policy[@]}"} \
    --format markdown > "$out/gate.md" || verdict=$?
cat "$out/gate.md"
# without a candidate's result there is neither a verdict nor a report
if [ ! -s "$out/gate.md" ]; then exit "$verdict"; fi
case $verdict in
    0 | 1 | 5) evalmart report --experiment "$experiment" -o "$out/report.html" ;;
esac
exit "$verdict"
