#!/usr/bin/env bash
# Runs every test and closes with "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
ctest --preset release 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
total=$(sed -n 's/.*tests failed out of \([0-9]*\)$/\1/p' "$log")
failed=$(sed -n 's/.*, \([0-9]*\) tests failed out of.*/\1/p' "$log")
rm -f "$log"
if [ "${total:-0}" -eq 0 ]; then status=1; fi
echo "$((${total:-0} - ${failed:-0})) passed, ${failed:-0} failed"
exit "$status"
