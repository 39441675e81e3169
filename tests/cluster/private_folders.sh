#!/usr/bin/env bash
# Runs a command that sees other folders than this machine's:
#
#   private_folders.sh HIDDEN... -- SOURCE=TARGET[=ro]... -- COMMAND...
#
# HIDDEN folders are empty ones in memory; a SOURCE, looked up before they are hidden, is to be
# found at TARGET. Only for a mount namespace of its own, which takes all of it along when it ends.
set -euo pipefail

hidden=()
while [ "$1" != -- ]; do hidden+=("$1") && shift; done
shift
shown=()
while [ "$1" != -- ]; do shown+=("$1") && shift; done
shift

mount --make-rprivate /
opened=()
for one in "${shown[@]}"; do
  exec {fd}<"${one%%=*}" # held open: its path will be covered
  opened+=("$fd")
done
for folder in "${hidden[@]}"; do
  case $folder in
    /tmp | /var/tmp | /dev/shm) mode=1777 ;;
    *) mode=755 ;;
  esac
  mount -t tmpfs -o "mode=$mode" tmpfs "$folder"
done
for index in "${!shown[@]}"; do
  IFS='=' read -r _ target only <<<"${shown[index]}"
  fd=${opened[index]}
  if [ -d "/proc/self/fd/$fd" ]; then mkdir -p "$target"; else mkdir -p "${target%/*}" && : >>"$target"; fi
  mount --no-canonicalize --bind "/proc/self/fd/$fd" "$target"
  if [ "$only" = ro ]; then mount -o remount,bind,ro "$target"; fi
  exec {fd}<&-
done
cd /
exec "$@"
