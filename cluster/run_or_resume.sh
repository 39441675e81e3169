#!/usr/bin/env bash
# Starts a search, or goes on with it where it was started before: for whatever runs a job again.
#
#   run_or_resume.sh STORAGE NAME [OPTION ...]      the options of `raysearch run`
set -euo pipefail

storage=${1:?usage: run_or_resume.sh STORAGE NAME [OPTION ...]}
name=${2:?usage: run_or_resume.sh STORAGE NAME [OPTION ...]}
shift 2

resume=()
[ ! -e "$storage/$name/spec.yaml" ] || resume=(--resume)
exec python -m raysearch.run "$@" --storage "$storage" --name "$name" "${resume[@]}"
