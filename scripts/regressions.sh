#!/usr/bin/env bash
# The weekly look: load what is new, build, and say which agents got worse.
#
#   scripts/regressions.sh [--out DIRECTORY] [-- INGEST-ARGUMENTS…]
#
# What follows -- goes to `evalmart ingest`; without it nothing is
# loaded. DIRECTORY (regressions) gets alerts.md and alerts.csv: every fall in
# level, the open ones first. An alert is open until the level is back, or a
# person accepts it in seeds/accepted_changes.csv. Exit code: 0 none is open,
# 5 some are, or that of the command that failed.
set -euo pipefail

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

out=regressions
while [ $# -gt 0 ]; do
    case $1 in
        --out) out=${2:-}; shift 2 || usage ;;
        --) shift; break ;;
        *) usage ;;
    esac
done
if [ -z "$out" ]; then usage; fi
mkdir -p "$out" || exit 2

evalmart init
if [ $# -gt 0 ]; then
    evalmart ingest "$@"
fi
evalmart build --quiet
evalmart export "$out/alerts.csv" --mart metric_alerts

open=0
evalmart regressions --format markdown > "$out/alerts.md" || open=$?
cat "$out/alerts.md"
exit "$open"
