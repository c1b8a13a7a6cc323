#!/bin/sh
# expect_failure.sh PATTERN COMMAND ...: passes when the command exits with 1 and its output holds the pattern.
pattern=$1
shift
output=$("$@" 2>&1)
code=$?
printf '%s\n' "$output"
[ "$code" -eq 1 ] && printf '%s\n' "$output" | grep -q "$pattern"
