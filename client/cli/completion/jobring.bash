# Completion of `jobring` for bash: verbs, options and their values, pools, states, ids of jobs.
#
# What there is to choose from is asked of the command itself: its help, and the daemon that it
# finds. So nothing here has to be kept in step with it but the names of states and limits, which
# have no place in the help where a program could find them. Needs nothing but bash and sed.

# "OPTION TYPE" a line, of one verb; flags have no TYPE.
_jobring_options() {
  "$jobring" "$1" --help 2>/dev/null </dev/null | sed -n -E '
    h
    s/^  (-[a-zA-Z0-9],)?(--[a-z][a-z0-9-]*)( ([^ ]+))?.*/\2 \4/p
    g
    s/^  (-[a-zA-Z0-9]),--[a-z][a-z0-9-]*( ([^ ]+))?.*/\1 \3/p'
}

# The words that may stand first after a verb: `group new|seal ID|show ID`.
_jobring_first_words() {
  local usage part
  usage=$("$jobring" "$1" --help 2>/dev/null </dev/null | sed -n "s/^Usage: jobring $1 //p")
  [[ $usage == [a-z]*'|'* ]] || return 0
  while [[ -n $usage ]]; do
    part=${usage%%|*}
    printf '%s\n' "${part%% *}"
    [[ $usage == *'|'* ]] || break
    usage=${usage#*|}
    [[ $part == *'['* || $usage != [a-z]* ]] && break
  done
}

# Of a daemon that answers at once; of none nothing.
_jobring_ask() {
  timeout 2 "$jobring" "$@" ${socket:+--socket "$socket"} 2>/dev/null </dev/null
}

_jobring_pools() {
  _jobring_ask status --color never | sed -n 's/^pool \([^@].*\): .*/\1/p'
}

_jobring_reply() {  # WORDS: those that begin with $cur
  local word
  while IFS= read -r word; do
    [[ -n $word && $word == "$cur"* ]] && COMPREPLY+=("$word")
  done <<<"$1"
  return 0
}

# The last of a list with commas: what stands before it stays.
_jobring_reply_list() {
  local before='' i
  [[ $cur == *,* ]] && before=${cur%,*},
  cur=${cur##*,}
  _jobring_reply "$1"
  for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]=$before${COMPREPLY[i]}; done
  compopt -o nospace 2>/dev/null
}

_jobring_files() {  # -f or -d
  compopt -o filenames 2>/dev/null
  local file
  while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen "$1" -- "$cur")
}

_jobring_value() {  # OPTION TYPE
  local lower
  case $1 in
    --pool | --in-pool) _jobring_reply "$(_jobring_pools)" && return ;;
    --state)
      _jobring_reply_list $'delayed\nready\nrunning\nheld\nfailed\nsucceeded\ndead\ncancelled' && return
      ;;
    --limit)
      _jobring_reply_list $'memory=\ncpu=\nopen_files=\nprocesses=\nfile_size=\ncore=\nstack=' && return
      ;;
    --after | --after-any | --group) _jobring_reply_list "$(_jobring_ids)" && return ;;
    --signal | -s) _jobring_reply "$(compgen -A signal | sed -n 's/^SIG//p')" && return ;;
    --env) _jobring_reply "$(compgen -e)" && compopt -o nospace 2>/dev/null && return ;;
    --user) _jobring_reply "$(compgen -u; echo all)" && return ;;
  esac
  case $2 in
    DIR) _jobring_files -d ;;
    FILE | PATH) _jobring_files -f ;;
    *'|'*)
      lower=$(sed -n '/^[a-z]*$/p' <<<"${2//|/$'\n'}")
      _jobring_reply "$lower"
      ;;
  esac
  return 0
}

_jobring_ids() {
  printf 'last\n'
  _jobring_ask list -q -n 30
}

_jobring() {
  local jobring=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} socket='' verb=${COMP_WORDS[1]}
  local options option='' type i word count=0 first='' dashes=''
  COMPREPLY=()
  jobring=${jobring/#\~/$HOME}
  if ((COMP_CWORD == 1)); then
    _jobring_reply "$("$jobring" --help 2>/dev/null </dev/null | sed -n -E 's/^  ([a-z]+) +[a-z].*/\1/p' | sed '/^jobring$/d')
--help
--version"
    return
  fi
  options=$(_jobring_options "$verb")

  # Where are we: in an option's value, in a command of its own, or at the how-many-th word?
  for ((i = 2; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [[ $word == -- ]]; then
      dashes=$i
      break
    fi
    if [[ $word == -?* ]]; then
      type=$(sed -n "s/^$word //p" <<<"$options")
      [[ -n $type ]] || continue
      # --option value, --option = value: bash takes the = for a word.
      [[ ${COMP_WORDS[i + 1]} == = ]] && ((++i))
      if ((i + 1 >= COMP_CWORD)); then
        option=$word
        break
      fi
      [[ $word == --socket ]] && socket=${COMP_WORDS[i + 1]}
      ((++i))
      continue
    fi
    [[ -n $first ]] || first=$word
    ((++count))
    case $verb in
      run | submit | map)
        dashes=$((i - 1))
        break
        ;;
    esac
  done
  if [[ -n $dashes ]]; then
    case $verb in
      run | submit | map | lock | cron)
        if ((dashes + 1 == COMP_CWORD)); then
          COMPREPLY=($(compgen -c -- "$cur"))
        else
          _jobring_files -f
        fi
        ;;
    esac
    return
  fi
  if [[ -n $option ]]; then
    [[ $cur == = ]] && cur=''
    _jobring_value "$option" "$type"
    return
  fi
  if [[ $cur == -* ]]; then
    _jobring_reply "$(sed -n 's/^\(--[^ ]*\).*/\1/p' <<<"$options")"
    return
  fi
  case $verb in
    pause | resume | drain) _jobring_reply "$(_jobring_pools)" ;;
    list | show | explain | logs | wait | result | cancel | kill | hold | release | edit | retry | bury | kick | clear | clean | export)
      _jobring_reply "$(_jobring_ids)"
      ;;
    run | submit)
      COMPREPLY=($(compgen -c -- "$cur"))
      _jobring_files -f
      ;;
    import) _jobring_files -f ;;
    cron)
      if ((count == 0)); then
        _jobring_reply "$(_jobring_first_words cron)"
      elif [[ $first == remove || $first == run ]]; then
        _jobring_reply "$(_jobring_ask cron list --json | sed 's/{"name":"/\n&/g' | sed -n 's/^{"name":"\([^"\\]*\)".*/\1/p')"
      fi
      ;;
    group)
      if ((count == 0)); then
        _jobring_reply "$(_jobring_first_words group)"
      else
        _jobring_reply "$(_jobring_ids)"
      fi
      ;;
    *) ((count > 0)) || _jobring_reply "$(_jobring_first_words "$verb")" ;;
  esac
}

complete -F _jobring jobring
