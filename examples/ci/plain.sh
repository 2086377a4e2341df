#!/bin/sh
# Evaluate the commit that is checked out, anywhere: Jenkins, Buildkite, a cron job, a laptop.
# DATABASE_URL says where the results are kept; without it, an embedded server under .evalmart/.
#
#   examples/ci/plain.sh RESULTS [PULL-REQUEST]
set -eu
results=${1:?name the file with the results}
number=${2:-}

code=0
evalmart ci --pull-request "$number" -- --file "$results" || code=$?
case $code in
    0) echo "may be merged" ;;
    1) echo "blocked: evaluation/comment.md says why" ;;
    5) echo "inconclusive: a person has to look at evaluation/report.html" ;;
    *) echo "not evaluated, see above" ;;
esac
exit "$code"
