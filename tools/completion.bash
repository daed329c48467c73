# Completion of the cbir programs for bash. Options come from each program's own --help, so they are always the true ones.
# shellcheck shell=bash disable=SC2207

_cbir() {
  local program=$1 current=$2 previous=$3 command=() word
  COMPREPLY=()
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do  # a sub-command has options of its own
    case $program:$word in
      *cbir-index:build | *cbir-index:info | *cbir-index:verify | *cbir-index:recover | *cbir-eval:labels | *cbir-eval:copies | \
        *cbir-models:list | *cbir-models:show | *cbir-models:fetch | *cbir-models:verify) command=("$word"); break ;;
    esac
  done

  case $previous in
    --model) COMPREPLY=($(compgen -W "$(cbir-models list 2>/dev/null | cut -f1)" -- "$current")); compopt -o default; return ;;
    --format) COMPREPLY=($(compgen -W "tsv jsonl trec html" -- "$current")); return ;;
    --metric) COMPREPLY=($(compgen -W "cosine dot l2" -- "$current")); return ;;
    --dtype) COMPREPLY=($(compgen -W "float32 float16" -- "$current")); return ;;
    --alpha) COMPREPLY=($(compgen -W "white drop" -- "$current")); return ;;
    --type) COMPREPLY=($(compgen -W "flat" -- "$current")); return ;;
    --label) COMPREPLY=($(compgen -W "parent none" -- "$current")); compopt -o default; return ;;
    show | fetch | verify) [[ $program == *cbir-models ]] &&
      { COMPREPLY=($(compgen -W "$(cbir-models list 2>/dev/null | cut -f1)" -- "$current")); return; } ;;
  esac

  local help
  help=$("$program" "${command[@]}" --help 2>/dev/null)
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$(grep -oE '(^|[ ,])-{1,2}[a-zA-Z0-9][a-z0-9-]*' <<<"$help" | tr -d ' ,' | sort -u)" -- "$current"))
    return
  fi
  if [ ${#command[@]} = 0 ]; then
    COMPREPLY=($(compgen -W "$(sed -n '/^Subcommands:/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$help")" -- "$current"))
  fi
  compopt -o default  # and files
}

complete -F _cbir cbir-extract cbir-index cbir-query cbir-eval cbir-models cbir-doctor
