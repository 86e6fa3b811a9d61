/* Body of the stub libraries that the overlays declare. mediasoup's meson.build passes one static
 * library per dependency to link_whole of libmediasoup-worker, a target which is never built here:
 * the executable gets the real code from the system library behind each *_dep variable.
 * build.sh puts a copy of this file beside every overlay's meson.build. */
typedef int stub;
