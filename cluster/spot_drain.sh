#!/usr/bin/env bash
# Waits for the cloud's notice that this spot node will be taken away, then drains it: Ray places
# nothing more here, and a search checkpoints and moves its trials before the node is gone.
#
#   spot_drain.sh aws|gcp HEAD_ADDRESS        started on a worker, beside `ray start`; runs for good
#
# AWS tells two minutes ahead, Google thirty seconds. Only one runs per node and user.
set -euo pipefail

cloud=${1:?usage: spot_drain.sh aws|gcp HEAD_ADDRESS}
head=${2:?usage: spot_drain.sh aws|gcp HEAD_ADDRESS}
every=${RAYSEARCH_DRAIN_POLL_S:-5}
fetch=(curl --silent --fail --max-time 2)

exec 9>"${TMPDIR:-/tmp}/raysearch_spot_drain.$UID.lock"
flock --nonblock 9 || exit 0

# Succeeds once the node's end is announced; a 404, or no answer, means not yet.
announced_aws() {
  local url=${RAYSEARCH_METADATA_URL:-http://169.254.169.254} session
  session=$("${fetch[@]}" --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
    "$url/latest/api/token") || return 1
  "${fetch[@]}" --header "X-aws-ec2-metadata-token: $session" \
    "$url/latest/meta-data/spot/instance-action" >/dev/null
}

announced_gcp() {
  local url=${RAYSEARCH_METADATA_URL:-http://169.254.169.254}
  [ "$("${fetch[@]}" --header 'Metadata-Flavor: Google' \
    "$url/computeMetadata/v1/instance/preempted")" = TRUE ]
}

case $cloud in
  aws) seconds_left=110 ;;
  gcp) seconds_left=25 ;;
  *) echo "spot_drain.sh: unknown cloud '$cloud' (aws or gcp)" >&2 && exit 2 ;;
esac

until "announced_$cloud"; do sleep "$every"; done
echo "$(date --utc +%FT%TZ) $cloud takes this node away"

# `ray drain-node` cannot find out by itself which node it runs on. Asked only now, because Ray
# may have been started anew, with another id, since this script was.
node=$(python -c '
import sys, ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
print(ray.get_runtime_context().get_node_id())
' "$head")
ray drain-node --address "$head" --node-id "$node" --reason DRAIN_NODE_REASON_PREEMPTION \
  --reason-message "spot interruption" --deadline-remaining-seconds "$seconds_left"
echo "told Ray: nothing more is placed on $node"
