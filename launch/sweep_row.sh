#!/usr/bin/env bash
# Prints row ROW (from 0) of a table as options of genrec_dist, one word a line:
#
#   mapfile -t options < <(launch/sweep_row.sh configs/sweep_tau.tsv 3)
#
# The table is tab-separated; its header names options (train.tau); lines that start with # and empty lines do not
# count; an empty cell leaves the option at its default. With --count: the number of rows.
set -euo pipefail
die() { printf 'sweep_row.sh: %s\n' "$2" >&2; exit "$1"; }
[ $# -eq 2 ] || die 2 "expected TABLE and ROW (or TABLE and --count)"
table=$1 row=$2
[ -r "$table" ] || die 66 "cannot read $table: expected a tab-separated table whose header names options"
case $row in --count) ;; '' | *[!0-9]*) die 2 "row '$row' of $table: expected a number from 0 on" ;; esac

awk -v row="$row" -v table="$table" '
  function fail(code, text) { print "sweep_row.sh: " text > "/dev/stderr"; failed = 1; exit code }
  function trim(s) { gsub(/^[ ]+|[ ]+$/, "", s); return s }
  BEGIN { FS = "\t"; columns = 0; rows = 0 }
  { sub(/\r$/, "") }
  /^#/ || /^[ \t]*$/ { next }
  columns == 0 {
    columns = NF
    for (i = 1; i <= NF; i++) {
      name[i] = trim($i)
      if (name[i] !~ /^[a-z][a-z0-9-]*\.[a-z][a-z0-9.-]*$/)
        fail(65, table " line " NR ", column " i ": \"" name[i] "\" is no option name such as train.tau")
    }
    next
  }
  NF != columns { fail(65, table " line " NR " has " NF " cells, the header " columns ": separate cells by one tab each") }
  rows++ == row && row != "--count" {
    found = 1
    for (i = 1; i <= NF; i++) if (trim($i) != "") printf "--%s\n%s\n", name[i], trim($i)
    exit 0
  }
  END {
    if (failed || found) exit
    if (columns == 0) fail(65, table " is empty: expected a header line of option names")
    if (row == "--count") print rows
    else fail(2, table " has no row " row ": it has " rows " rows, counted from 0")
  }' "$table"
