#!/bin/sh
# A nightly backup as a durable job: tried again if it fails, never twice at a time, and with its
# output at hand the next morning.
#
#   jobring start                      # or the system's daemon
#   jobring cron add nightly '30 2 * * *' ./nightly_backup.sh /home /var/backups
#
#   jobring cron list                  # when it comes next
#   jobring cron run nightly           # now, too
#   jobring list --name nightly        # how it went
#   jobring logs last
#
# A disk that is not there, or a network that is down, is tried again after one, two, four, ...
# minutes; what is wrong for good (exit 2, below) is not: it is dead, and `jobring list --state dead`
# shows it until somebody kicks or clears it.
#
#JOBRING --tag backup --priority -5
#JOBRING --retries 6 --backoff 1m..1h --retry-exits 1
#JOBRING --timeout 4h
#JOBRING --unique nightly-backup          # the one before is still at it: leave this one out
#JOBRING --key disk=1                     # one at a time with all else that has this key
#JOBRING --keep 30d
set -u

if [ $# -ne 2 ]; then
  echo "usage: $0 WHAT WHERE" >&2
  exit 2
fi
what=$1
where=$2
[ -d "$what" ] || { echo "$what is no directory" >&2; exit 2; }
[ -d "$where" ] || { echo "$where is not there: not mounted?" >&2; exit 1; }

echo "attempt ${JOBRING_ATTEMPT:-1} of job ${JOBRING_JOB_ID:-(none)}: $what to $where"

# A key that is the same in all attempts: what an attempt before has finished is not done again.
target="$where/backup-${JOBRING_JOB_KEY:-$(date +%F)}.tar.gz"
if [ -e "$target" ]; then
  echo "$target is there already"
else
  # Under another name until it is whole: a backup that is there is complete.
  part="$target.part"
  trap 'rm -f "$part"' EXIT
  tar -czf "$part" -C "$what" . || exit 1
  gzip -t "$part" || exit 1
  sync "$part" || exit 1
  mv "$part" "$target" || exit 1
  trap - EXIT
  echo "wrote $target, $(wc -c < "$target") bytes"
fi

# The seven newest stay.
ls -1t "$where"/backup-*.tar.gz | tail -n +8 | while read -r old; do
  echo "removing $old"
  rm -f "$old"
done
