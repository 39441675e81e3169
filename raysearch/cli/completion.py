"""``raysearch completion``: a script by which bash, zsh or fish completes the command line."""

import shlex
from collections.abc import Sequence

from raysearch.cli.completable import Completable, CompletableVerb, completable_verbs
from raysearch.cli.completion_options import CompletionOptions

__all__ = ["script", "write"]


def write(options: CompletionOptions) -> int:
    """Carry the verb out."""
    print(script(options.shell), end="")
    return 0


def script(shell: str) -> str:
    """Return the script for ``bash``, ``zsh`` or ``fish``."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](completable_verbs())


# ---- bash ----------------------------------------------------------------------------------------

_BASH = """\
# Completes raysearch in bash: . <(raysearch completion bash)
_raysearch_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }
_raysearch_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
}
_raysearch_either() {
  _raysearch_words "$1" "$2"
  [[ ${#COMPREPLY[@]} -gt 0 ]] || _raysearch_files "$2"
}
_raysearch() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  local verb= flags= place=none i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} != -* ]]; then verb=${COMP_WORDS[i]}; break; fi
  done
  # A word that begins with a dash is an option, whatever stands before it.
  [[ $current == -* ]] && before=
  case $verb in
  '') _raysearch_words '%(verbs)s' "$current"; return ;;
%(cases)s  esac
  if [[ $current == -* ]]; then _raysearch_words "$flags" "$current"
  elif [[ $place == files ]]; then _raysearch_files "$current"
  elif [[ $place != none ]]; then _raysearch_words "$place" "$current"
  fi
}
complete -F _raysearch raysearch
"""


def _bash(verbs: Sequence[CompletableVerb]) -> str:
    names = " ".join(["-h --help --version", *(verb.name for verb in verbs)])
    cases = "".join(_bash_case(verb) for verb in verbs)
    return _BASH % {"verbs": names, "cases": cases}


def _bash_case(verb: CompletableVerb) -> str:
    flags = " ".join(name for option in verb.options for name in option.names)
    lines = [f"  {verb.name})", f"    flags={shlex.quote(flags)} place={_bash_place(verb)}"]
    by_act: dict[str, list[str]] = {}
    for option in verb.options:
        if option.takes_value:
            by_act.setdefault(_bash_act(option), []).extend(option.names)
    if by_act:
        lines.append("    case $before in")
        lines += [f"    {'|'.join(names)}) {act}return ;;" for act, names in by_act.items()]
        lines.append("    esac")
    return "\n".join([*lines, "    ;;", ""])


def _bash_act(option: Completable) -> str:
    words = shlex.quote(" ".join(option.words))
    if option.words:
        kind = "either" if option.path else "words"
        return f'_raysearch_{kind} {words} "$current"; '
    return '_raysearch_files "$current"; ' if option.path else ""


def _bash_place(verb: CompletableVerb) -> str:
    if any(argument.path for argument in verb.arguments):
        return "files"
    words = [word for argument in verb.arguments for word in argument.words]
    return shlex.quote(" ".join(words)) if words else "none"


# ---- zsh -----------------------------------------------------------------------------------------

_ZSH = """\
#compdef raysearch
# Completes raysearch in zsh: . <(raysearch completion zsh), after compinit
_raysearch_either() { compadd -- "$@"; _files }
_raysearch() {
  local context state state_descr line
  typeset -A opt_args
  local -a verbs=(
%(verbs)s  )
  _arguments -C '(- *)'{-h,--help}'[show help]' '(- *)--version[show the version]' \\
    '1:verb:->verb' '*::argument:->arguments'
  case $state in
  verb) _describe -t verbs verb verbs ;;
  arguments)
    case $line[1] in
%(cases)s    esac ;;
  esac
}
if [[ $funcstack[1] == _raysearch ]]; then _raysearch "$@"; else compdef _raysearch raysearch; fi
"""


def _zsh(verbs: Sequence[CompletableVerb]) -> str:
    described = "".join(f"    {shlex.quote(f'{one.name}:{one.help}')}\n" for one in verbs)
    cases = "".join(_zsh_case(verb) for verb in verbs)
    return _ZSH % {"verbs": described, "cases": cases}


def _zsh_case(verb: CompletableVerb) -> str:
    specs = [_zsh_option(option, name) for option in verb.options for name in option.names]
    specs += [_zsh_argument(argument, place) for place, argument in enumerate(verb.arguments, 1)]
    joined = " \\\n        ".join(specs)
    return f"    {verb.name})\n      _arguments -s \\\n        {joined} ;;\n"


def _zsh_option(option: Completable, name: str) -> str:
    # Each excludes itself and its other names, unless it may be given again.
    others = "*" if option.repeats else f"({' '.join(option.names)})"
    text = f"{others}{name}[{_zsh_text(option.help)}]"
    if option.takes_value:
        colons = "::" if option.optional_value else ":"
        text += f"{colons}{_zsh_text(option.label)}:{_zsh_values(option)}"
    return shlex.quote(text)


def _zsh_argument(argument: Completable, place: int) -> str:
    where = "*" if argument.repeats else str(place)
    return shlex.quote(f"{where}:{_zsh_text(argument.label)}:{_zsh_values(argument)}")


def _zsh_values(one: Completable) -> str:
    words = " ".join(one.words)
    if one.path:
        return f"{{_raysearch_either {words}}}" if words else "_files"
    return f"({words})" if words else " "


def _zsh_text(text: str) -> str:
    for letter in "\\[]:`$":
        text = text.replace(letter, f"\\{letter}")
    return text


# ---- fish ----------------------------------------------------------------------------------------


def _fish(verbs: Sequence[CompletableVerb]) -> str:
    lines = [
        "# Completes raysearch in fish: raysearch completion fish | source",
        "complete -c raysearch -f",
        "complete -c raysearch -n __fish_use_subcommand -s h -l help -d 'show help'",
        "complete -c raysearch -n __fish_use_subcommand -l version -d 'show the version'",
    ]
    for verb in verbs:
        of_verb = f"complete -c raysearch -n '__fish_seen_subcommand_from {verb.name}'"
        lines.append(
            f"complete -c raysearch -n __fish_use_subcommand -a {verb.name}"
            f" -d {_fish_text(verb.help)}"
        )
        lines += [f"{of_verb} {_fish_option(option)}" for option in verb.options]
        for argument in verb.arguments:
            if argument.path:
                lines.append(f"{of_verb} -F")
            elif argument.words:
                lines.append(f"{of_verb} -a {_fish_text(' '.join(argument.words))}")
    return "\n".join([*lines, ""])


def _fish_option(option: Completable) -> str:
    names = " ".join(
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
    )
    value = ""
    if option.takes_value and not option.optional_value:
        value = " -r -F" if option.path else " -x"  # -x: no files
    if option.words:
        value += f" -a {_fish_text(' '.join(option.words))}"
    return f"{names}{value} -d {_fish_text(option.help)}"


def _fish_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
