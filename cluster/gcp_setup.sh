#!/usr/bin/env bash
# What must exist once in a Google Cloud project before `ray up` of gcp.yaml. See README.md.
#
#   gcp_setup.sh up PROJECT [REGION]      a network without a way in from outside, a way out (NAT),
#                                         SSH through Google's proxy, a worker account, a bucket
#   gcp_setup.sh down PROJECT [REGION]    removes it all again, except for the bucket
#
# `up` again changes nothing that exists.
set -euo pipefail

usage="usage: gcp_setup.sh up|down PROJECT [REGION]"
verb=${1:?$usage}
project=${2:?$usage}
region=${3:-us-central1}
account=raysearch-worker@$project.iam.gserviceaccount.com
bucket=gs://raysearch-$project
in_project=(--project "$project" --quiet)

command -v gcloud >/dev/null || {
  echo "gcp_setup.sh: gcloud is missing; install the Google Cloud CLI, then: gcloud auth login" >&2
  exit 1
}

# ensure DESCRIBE... -- CREATE...: creates what cannot be described.
ensure() {
  local describe=()
  while [ "$1" != -- ]; do
    describe+=("$1")
    shift
  done
  shift
  gcloud "${describe[@]}" "${in_project[@]}" >/dev/null 2>&1 || gcloud "$@" "${in_project[@]}"
}

up() {
  gcloud services enable compute.googleapis.com iam.googleapis.com iap.googleapis.com \
    cloudresourcemanager.googleapis.com "${in_project[@]}"
  ensure compute networks describe raysearch -- \
    compute networks create raysearch --subnet-mode custom
  ensure compute networks subnets describe raysearch --region "$region" -- \
    compute networks subnets create raysearch --network raysearch --region "$region" \
    --range 10.20.0.0/20 --enable-private-ip-google-access
  ensure compute firewall-rules describe raysearch-nodes -- \
    compute firewall-rules create raysearch-nodes --network raysearch --allow all \
    --source-tags raysearch --target-tags raysearch
  # 35.235.240.0/20 is Google's identity-aware proxy, not the world.
  ensure compute firewall-rules describe raysearch-iap -- \
    compute firewall-rules create raysearch-iap --network raysearch --allow tcp:22 \
    --source-ranges 35.235.240.0/20 --target-tags raysearch
  ensure compute routers describe raysearch --region "$region" -- \
    compute routers create raysearch --network raysearch --region "$region"
  ensure compute routers nats describe raysearch --router raysearch --region "$region" -- \
    compute routers nats create raysearch --router raysearch --region "$region" \
    --auto-allocate-nat-external-ips --nat-all-subnet-ip-ranges
  ensure iam service-accounts describe "$account" -- \
    iam service-accounts create raysearch-worker --display-name "raysearch workers"
  ensure storage buckets describe "$bucket" -- \
    storage buckets create "$bucket" --location "$region" \
    --uniform-bucket-level-access --public-access-prevention
  gcloud storage buckets add-iam-policy-binding "$bucket" "${in_project[@]}" \
    --member "serviceAccount:$account" --role roles/storage.objectAdmin >/dev/null
  echo "ready; next: sed 's/PROJECT_ID/$project/g' cluster/gcp.yaml > gcp-$project.yaml"
}

down() {
  local failed=0
  remove() { gcloud "$@" "${in_project[@]}" || failed=1; }
  remove compute routers nats delete raysearch --router raysearch --region "$region"
  remove compute routers delete raysearch --region "$region"
  remove compute firewall-rules delete raysearch-nodes raysearch-iap
  remove compute networks subnets delete raysearch --region "$region"
  remove compute networks delete raysearch
  remove iam service-accounts delete "$account"
  echo "kept: $bucket (to delete it with all results: gcloud storage rm --recursive $bucket)"
  return "$failed"
}

case $verb in
  up | down) "$verb" ;;
  *) echo "gcp_setup.sh: unknown verb '$verb'; $usage" >&2 && exit 2 ;;
esac
