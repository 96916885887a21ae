#!/bin/sh
# guarded.sh SOURCE_DIR: no exception crosses the C interface, and no function is left untested.
# - Each function that returns a status consists of one of the guards (client/c/guard.hpp and what is
#   built on it), which are noexcept.
# - The others are those named here, which throw nothing.
# - Each function is called somewhere in tests/c.
set -eu
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat client/c/*.cpp > "$work/source"
awk '
  /^jobring_status jobring_/ { name = $2; sub("[(].*", "", name); body = "" }
  name != "" { body = body " " $0 }
  name != "" && /^}/ {
    count += 1
    if (body !~ /[)] [{] +return (guarded|on<|answered<|started<|number_of<|need_number_of<|number|get_number)[^;]/) {
      print name " is not guarded"; bad = 1
    }
    name = ""
  }
  END { if (count < 150) { print "only " count " functions were found"; bad = 1 }; exit bad }
' "$work/source" >&2
grep -E '^[a-z].* \*?jobring_[a-z_]+\(' "$work/source" | grep -v '^jobring_status ' |
  grep -o 'jobring_[a-z_]*(' | tr -d '(' | sort > "$work/others"
sort > "$work/harmless" <<END
jobring_abi_version
jobring_as_completed_free
jobring_channel_free
jobring_client_free
jobring_durable_free
jobring_durable_future_free
jobring_durable_future_ref
jobring_durable_list_free
jobring_durable_state_name
jobring_entries_free
jobring_free
jobring_future_free
jobring_future_ref
jobring_last_error
jobring_last_error_exit_status
jobring_last_error_kind
jobring_object_free
jobring_object_list_free
jobring_objects_free
jobring_outcome_name
jobring_pending_free
jobring_pending_ref
jobring_pool_free
jobring_reservation_free
jobring_results_free
jobring_status_name
jobring_version
END
diff "$work/harmless" "$work/others" >&2 || {
  echo "a function without a guard that is not known to be harmless" >&2
  exit 1
}
cat tests/c/*.c > "$work/tests"
bad=0
for name in $(grep -oh '^jobring_status jobring_[a-z_]*(' "$work/source" | sed 's/.* //; s/(//') \
  $(cat "$work/harmless"); do
  grep -q "$name(" "$work/tests" || { echo "no test calls $name" >&2; bad=1; }
done
exit $bad
