#!/bin/sh
# Builds mediasoup-worker from the npm package and Debian's libraries (README.md says how and why).
#   build.sh MEDIASOUP_PACKAGE WORK_DIRECTORY      leaves WORK_DIRECTORY/mediasoup-worker
#
# WORK_DIRECTORY/libsrtp2, if it exists, is the source of libsrtp 2 (fetch-libsrtp.sh), which is
# then linked statically. Otherwise Debian's libsrtp2-dev is used.
# Everything is logged to standard output. A reason to fail is a line that begins with "recipe: ", what was left out
# one that begins with "left out: ".
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
package=$(cd "$1" && pwd)
work=$(cd "$2" && pwd)
worker=$work/worker
version=$(sed -n 's/^[[:space:]]*"version": "\(.*\)",$/\1/p' "$package/package.json")

fail() {
  echo "recipe: mediasoup $version: $1"
  exit 1
}
outdated() {
  fail "$1: the recipe in scripts/mediasoup-worker needs an update"
}

cp -R "$package/worker" "$worker"

# Every dependency that meson would download is replaced by an overlay. Its directory carries the
# version, so that each bump is looked at by a person before it builds.
for wrap in "$worker"/subprojects/*.wrap; do
  name=$(basename "$wrap" .wrap)
  case $name in catch2 | wingetopt) continue ;; esac # for tests and for Windows
  directory=$(sed -n 's/^directory *= *//p' "$wrap")
  [ -f "$recipe/overlay/${directory:=$name}/meson.build" ] || outdated "no overlay for $name ($directory)"
  cp -R "$recipe/overlay/$directory" "$worker/subprojects/"
  cp "$recipe/overlay/stub.c" "$worker/subprojects/$directory/"
done

# In the order of their names. No fuzz: a patch that lands in a neighbour's code is worse than none.
for patch in "$recipe"/patches/*.patch; do
  patch -d "$worker" -p1 --fuzz=0 --forward < "$patch" || outdated "patches/$(basename "$patch") does not apply"
done

# What only makes the worker faster. One that does not apply is left out as a whole.
for patch in "$recipe"/optional/*.patch; do
  if patch -d "$worker" -p1 --fuzz=0 --forward --dry-run < "$patch" > /dev/null; then
    patch -d "$worker" -p1 --fuzz=0 --forward < "$patch"
  else
    echo "left out: mediasoup $version: optional/$(basename "$patch") does not apply; the worker does without"
  fi
done

if [ -d "$work/libsrtp2" ]; then
  meson setup --buildtype release --default-library static --prefix "$work/srtp" --libdir lib \
    -Dcrypto-library=openssl -Dcrypto-library-kdf=disabled -Dtests=disabled -Dpcap-tests=disabled -Ddoc=disabled \
    "$work/libsrtp2-build" "$work/libsrtp2" || fail 'libsrtp2 could not be configured'
  ninja -C "$work/libsrtp2-build" install || fail 'libsrtp2 could not be compiled'
  PKG_CONFIG_PATH=$work/srtp/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
  export PKG_CONFIG_PATH
fi

meson setup --wrap-mode nodownload --buildtype release -Db_ndebug=true "$work/build" "$worker" ||
  fail 'the build could not be configured'
NINJA_STATUS='[%f/%t] ' ninja -C "$work/build" -j "$(nproc)" mediasoup-worker || fail 'compilation failed'
strip -o "$work/mediasoup-worker" "$work/build/mediasoup-worker"
