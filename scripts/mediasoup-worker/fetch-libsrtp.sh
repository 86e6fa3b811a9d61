#!/bin/sh
# Unpacks the source package of Debian's libsrtp2 into DIRECTORY/libsrtp2.
#   fetch-libsrtp.sh DIRECTORY        (which must not hold one yet; needs dpkg-dev)
#
# It comes from the repositories that this machine's apt already uses, authenticated as they are,
# by an apt with lists of its own: the machine's sources and lists stay as they are, and no root
# is needed.
set -eu
mkdir -p "$1/apt/sources" "$1/apt/lists/partial" "$1/apt/cache/archives/partial" "$1/unpacked"
dir=$(cd "$1" && pwd)

# The same sources with "deb" turned into "deb-src", in either format.
eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
for file in "$list" "$parts"*.list "$parts"*.sources; do
  [ -f "$file" ] || continue
  sed -E 's/^deb([[:space:]])/deb-src\1/; s/^Types:.*/Types: deb-src/' "$file" > "$dir/apt/sources/$(basename "$file")"
done

own="-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$dir/apt/sources"
own="$own -o Dir::State::lists=$dir/apt/lists -o Dir::Cache=$dir/apt/cache -o APT::Sandbox::User="
# A repository without sources, or out of reach, matters only if it is the one with libsrtp2.
# shellcheck disable=SC2086 # $own is a list of words
apt-get -q $own update || echo 'continuing with the repositories that answered'
cd "$dir/unpacked"
# shellcheck disable=SC2086
apt-get -q $own source libsrtp2
mv "$dir"/unpacked/*/ "$dir/libsrtp2"
