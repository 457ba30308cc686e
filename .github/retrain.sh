#!/usr/bin/env bash
# Publishes a retrain request, follows the run to its end, and says in the job's
# summary how it ended. Exit codes are churnctl's: 0 promoted, or a dry run that would
# have been; 3 rejected; 4 failed. The only argument may be --dry-run.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${KAFKA_BROKERS:?the environment churn has no variable KAFKA_BROKERS}" # without, churnctl runs a stack of its own
dry=("$@")
end=$(mktemp)

code=0
bin/churnctl retrain "${dry[@]}" --output json \
  --request-id "github-$GITHUB_RUN_ID${dry[*]}" --request-time "$REQUEST_TIME" --requested-by "$GITHUB_ACTOR" --reason "$REASON" --timeout "$TIMEOUT" \
  --data "$DATA" --learning-rate "$LEARNING_RATE" --num-leaves "$NUM_LEAVES" --min-auc "$MIN_AUC" --min-accuracy "$MIN_ACCURACY" \
  | tee "$end" || code=$?

case $code/${dry[*]} in
  0/) verdict="Promoted" ;;
  0/*) verdict="It would be promoted" ;;
  3/*) verdict="Rejected: it holds not every rule" ;;
  4/*) verdict="Failed" ;;
  *) verdict="Not ended (exit code $code): see the log; run the job again to go on" ;;
esac

{
  echo "## $verdict"
  echo
  echo '```json'
  cat "$end"
  echo '```'
} >> "$GITHUB_STEP_SUMMARY"
exit "$code"
