#!/bin/sh
# Makes the work pool of the cluster, or brings it up to date: the template RUN_TEMPLATE, whose runs are of RUN_IMAGE.
set -eu

folder=$(dirname "$0")/../work-pools
made=${TMPDIR:-/tmp}/work-pool.json
python - "$folder/${RUN_TEMPLATE:?}" "${RUN_IMAGE:?}" >"$made" <<'EOF'
import json, sys

with open(sys.argv[1], encoding="utf-8") as file:
    template = json.load(file)
template["variables"]["properties"]["image"]["default"] = sys.argv[2]
json.dump(template, sys.stdout)
EOF
exec prefect --no-prompt work-pool create perennial --type kubernetes --overwrite --base-job-template "$made"
