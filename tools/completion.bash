# Completion of the cbir programs for bash. Options come from each program's own --help, so they are always the true ones.
# shellcheck shell=bash disable=SC2207

_cbir() {
  local program=$1 current=$2 previous=$3 command=() word
  COMPREPLY=()
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do  # a sub-command has options of its own
    case $program:$word in
      *cbir-index:build | *cbir-index:add | *cbir-index:remove | *cbir-index:sync | *cbir-index:compact | *cbir-index:merge | \
        *cbir-index:export | *cbir-index:info | *cbir-index:verify | *cbir-index:recover | *cbir-index:augment | *cbir-index:whiten | *cbir-eval:labels | *cbir-eval:oxford | \
        *cbir-eval:revisited | *cbir-eval:qrels | *cbir-eval:text | *cbir-eval:copies | *cbir-eval:compare | *cbir-eval:report | \
        *cbir-catalog:create | *cbir-catalog:add | *cbir-catalog:remove | *cbir-catalog:list | *cbir-catalog:identify | *cbir-catalog:calibrate | \
        *cbir-models:list | *cbir-models:show | *cbir-models:fetch | *cbir-models:verify) command=("$word"); break ;;
    esac
  done

  case $previous in
    --model) [[ $program:${command[*]} != *cbir-catalog:[!c]* ]] || { COMPREPLY=($(compgen -W "homography affine" -- "$current")); return; }
      COMPREPLY=($(compgen -W "$(cbir-models list 2>/dev/null | cut -f1)" -- "$current")); compopt -o default; return ;;
    --format) COMPREPLY=($(compgen -W "tsv jsonl trec html" -- "$current")); return ;;
    --metric) COMPREPLY=($(compgen -W "cosine dot l2" -- "$current")); return ;;
    --dtype) COMPREPLY=($(compgen -W "float32 float16" -- "$current")); return ;;
    --ap) COMPREPLY=($(compgen -W "trapezoid standard" -- "$current")); return ;;
    --alpha) [[ $program == *cbir-index ]] || COMPREPLY=($(compgen -W "white drop" -- "$current")); return ;;
    --type) COMPREPLY=($(compgen -W "flat" -- "$current")); return ;;
    --features | --local | --verify) COMPREPLY=($(compgen -W "sift orb xfeat aliked superpoint" -- "$current")); compopt -o default; return ;;
    --matcher | --verify-matcher) COMPREPLY=($(compgen -W "nn lighterglue lightglue superglue" -- "$current")); return ;;
    --keep) COMPREPLY=($(compgen -W "largest oldest first" -- "$current")); return ;;
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

complete -F _cbir cbir-extract cbir-index cbir-query cbir-eval cbir-dedup cbir-detect cbir-match cbir-models cbir-doctor \
  cbir-catalog
