#!/bin/sh
# with-secrets.sh COMMAND…: run the command with the secrets that containers are given as files.
#
# For each variable of this list whose name with _FILE names a file, such as
# PGPASSWORD_FILE=/run/secrets/perennial-password, the variable is set to what the file holds. So secrets are in no
# compose file, in no image and in nothing that `docker inspect` shows. PERENNIAL_SECRETS names more variables, such
# as that of a data source's address, separated by blanks.
set -eu

NAMES='PGPASSWORD MLFLOW_TRACKING_PASSWORD PREFECT_API_AUTH_STRING PREFECT_SERVER_API_AUTH_STRING'
NAMES="$NAMES ${PERENNIAL_SECRETS:-}"

if [ $# -eq 0 ]; then
  echo 'Error: with-secrets.sh needs a command to run, such as: with-secrets.sh perennial doctor' >&2
  exit 2
fi

for name in $NAMES; do
  eval "file=\${${name}_FILE:-}"
  [ -n "$file" ] || continue
  if [ ! -r "$file" ]; then
    echo "Error: ${name}_FILE names $file, which can't be read by user $(id -u). infra/make-secrets.sh makes" \
      'the files of compose.yaml.' >&2
    exit 1
  fi
  value=$(cat "$file")
  export "$name=$value"
  unset "${name}_FILE"
done

exec "$@"
