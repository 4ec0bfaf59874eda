#!/usr/bin/env bash
# Backs up the tracking server while it runs: its databases, the ledger's and the artifacts, in one folder.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

HELP='mlflow/backup.sh FOLDER [--keep N]: back up the tracking server into FOLDER/mlflow-DATE.

The server may run meanwhile; only nothing may be deleted (mlflow gc, perennial gc). It reads the settings of start.sh,
and PERENNIAL_DATABASE_URL for the ledger. With --keep, only the newest N backups are kept in FOLDER.
A backup holds password hashes: only you can read it. Artifacts in a bucket are not copied; see mlflow/README.md.'

main() {
  show_help "$HELP" "$@"
  read_arguments "$@"
  configure
  [[ $KIND == sqlite ]] || { need pg_dump && need psql; }
  check_source
  begin
  local name
  # Databases first: whatever a version in them points to was uploaded before, and is copied after. Of these the ledger:
  # a promotion writes there before it moves the alias, and what MLflow has more than the ledger is found and written down.
  for name in ledger mlflow users; do
    dump "$name"
  done
  copy_artifacts
  conclude
  remove_old
}

read_arguments() {
  KEEP=0 PLACE=''
  while (($# > 0)); do
    case $1 in
      --keep) KEEP=${2:-} && shift ;;
      -*) misuse "$1 is no argument of backup.sh; see --help." ;;
      *) PLACE=$1 ;;
    esac
    shift || break
  done
  [[ -n $PLACE ]] || misuse "Say where the backup is to be put: mlflow/backup.sh FOLDER."
  [[ $KEEP =~ ^[0-9]+$ ]] || misuse "--keep takes the number of backups to keep, not '$KEEP'."
}

check_source() {
  if [[ $KIND == sqlite && ! -e ${DATABASES[mlflow]} ]]; then
    fail "There is nothing to back up: ${DATABASES[mlflow]} does not exist. If the server's database is elsewhere, set" \
      "PERENNIAL_MLFLOW_DATABASE_URL as for start.sh."
  fi
  if [[ $KIND == postgresql && -z $(query mlflow "SELECT to_regclass('model_versions')") ]]; then
    fail "There is nothing to back up: ${DATABASES[mlflow]} holds no MLflow. Set PERENNIAL_MLFLOW_DATABASE_URL as for start.sh."
  fi
  if artifacts_are_files && [[ ! -d $ARTIFACTS ]]; then
    fail "The models' files are not where PERENNIAL_MLFLOW_ARTIFACTS says: there is no folder $ARTIFACTS."
  fi
}

begin() {
  umask 077
  TARGET=$PLACE/mlflow-$(date -u +%Y-%m-%dT%H-%M-%SZ)
  PARTIAL=$TARGET.partial
  mkdir -p "$PLACE" 2>/dev/null || fail "The folder $PLACE can't be made. Give yourself the right, or name another."
  if [[ -e $TARGET ]] || ! mkdir "$PARTIAL" 2>/dev/null; then
    fail "$TARGET can't be made: another backup began in the same second, or $PLACE can't be written."
  fi
  PLACE=$(cd "$PLACE" && pwd)
  trap 'rm -rf "$PARTIAL" "$PARTIAL.sums"' EXIT
  served >"$PARTIAL/served"
}

# The versions that an alias points to, and where their files are.
served() {
  query mlflow "SELECT a.name, a.alias, a.version, coalesce(v.storage_location, v.source) FROM registered_model_aliases a
    JOIN model_versions v ON v.workspace = a.workspace AND v.name = a.name AND v.version = a.version
    ORDER BY a.name, a.alias"
}

dump() {
  if [[ -z ${DATABASES[$1]:-} ]] || [[ $KIND == sqlite && ! -e ${DATABASES[$1]} ]]; then
    [[ $1 != ledger ]] || without_ledger
    return 0
  fi
  say "$1: ${DATABASES[$1]}"
  if [[ $KIND == sqlite ]]; then
    attempt "${DATABASES[$1]} can't be backed up" "$PYTHON" -c "$COPY_SQLITE" "${DATABASES[$1]}" "$PARTIAL/$1.db"
  else
    attempt "The database ${DATABASES[$1]} can't be backed up" \
      as "$1" pg_dump --format=custom --file="$PARTIAL/$1.dump" --dbname="${DATABASES[$1]}"
  fi
}

# One transaction's view, also while the server writes.
COPY_SQLITE='
import sqlite3, sys
sqlite3.connect(f"file:{sys.argv[1]}?mode=rw", uri=True).execute("VACUUM INTO ?", sys.argv[2:])
'

without_ledger() {
  if [[ $KIND == postgresql && -n $(query mlflow "SELECT to_regclass('perennial_ledger')") ]]; then
    say "ledger: in MLflow's database"
  elif [[ -n ${PERENNIAL_DATABASE_URL:-} ]]; then
    say "ledger: not in this backup. PERENNIAL_DATABASE_URL is of another kind than MLflow's database: back it up yourself."
  else
    say "ledger: not in this backup. If there is one, set PERENNIAL_DATABASE_URL: without it a rollback does not know" \
      "which versions were champion."
  fi
}

copy_artifacts() {
  if ! artifacts_are_files; then
    say "artifacts: not copied from $ARTIFACTS. Keep the bucket's versions for as long as this backup."
    return 0
  fi
  say "artifacts: $ARTIFACTS ($(du -sh "$ARTIFACTS" | cut -f1))"
  mkdir "$PARTIAL/artifacts"
  attempt "The models' files can't be copied. If something was deleted meanwhile, run the backup again" \
    find "$ARTIFACTS" -mindepth 1 -maxdepth 1 ! -name '.replaced-*' ! -name .restoring \
    -exec cp -R --preserve=mode,timestamps --reflink=auto -t "$PARTIAL/artifacts" {} +
  check_served
}

# No backup is better than one that is found out when it is needed.
check_served() {
  local model alias version place
  while IFS=$'\t' read -r model alias version place; do
    [[ $place == mlflow-artifacts:/* ]] || continue
    [[ -n $(find "$PARTIAL/artifacts/${place#mlflow-artifacts:/}" -type f 2>/dev/null | head -n 1) ]] ||
      fail "Version $version of $model, its $alias, has no files at $place below $ARTIFACTS, so this would be no backup." \
        "Correct PERENNIAL_MLFLOW_ARTIFACTS, or restore the files; then run it again."
  done <"$PARTIAL/served"
}

conclude() {
  printf 'kind=%s\nartifacts=%s\n' "$KIND" "$ARTIFACTS" >"$PARTIAL/about"
  (cd "$PARTIAL" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$PARTIAL.sums"
  mv "$PARTIAL.sums" "$PARTIAL/SHA256SUMS"
  sync -f "$PARTIAL"
  mv -T "$PARTIAL" "$TARGET"
  trap - EXIT
  say "Backed up to $TARGET ($(du -sh "$TARGET" | cut -f1))"
}

remove_old() {
  ((KEEP > 0)) || return 0
  local old
  # The date in the name sorts as time does.
  find "$PLACE" -mindepth 1 -maxdepth 1 -type d -name 'mlflow-????-??-??T??-??-??Z' | sort -r | tail -n "+$((KEEP + 1))" |
    while read -r old; do
      say "Removed $old"
      rm -rf "$old"
    done
}

main "$@"
