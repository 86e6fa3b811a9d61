"""WHIP and WHEP by GStreamer's webrtcbin, which nobody here wrote.

Usage: gstreamer_client.py publish|watch ENDPOINT SECONDS [H264|VP9], the invitation in KENKYO_INVITATION_TOKEN.
`watch` prints a line of JSON for every frame; both end with a DELETE.
"""
import json
import os
import sys
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

CAPS = {
    "H264": "application/x-rtp,media=video,encoding-name=H264,payload=102,clock-rate=90000,packetization-mode=(string)1,profile-level-id=(string)42e01f",
    "VP9": "application/x-rtp,media=video,encoding-name=VP9,payload=103,clock-rate=90000",
}
SENT = {codec: caps.split(",packetization-mode")[0] for codec, caps in CAPS.items()}
ENCODERS = {
    "H264": "openh264enc gop-size=30 bitrate=1000000 ! h264parse config-interval=-1 ! rtph264pay pt=102 aggregate-mode=zero-latency",
    "VP9": "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=30 ! rtpvp9pay pt=103 picture-id-mode=15-bit",
}
DECODERS = {"H264": "rtph264depay ! h264parse ! openh264dec", "VP9": "rtpvp9depay ! vp9dec"}


def request(method, url, body=None, headers=None):
    headers = {"Authorization": "Bearer " + os.environ["KENKYO_INVITATION_TOKEN"], **(headers or {})}
    call = urllib.request.Request(url, data=None if body is None else body.encode(), method=method, headers=headers)
    with urllib.request.urlopen(call, timeout=10) as response:
        return response.status, response.headers, response.read().decode()


def say(**fields):
    print(json.dumps(fields), flush=True)


class Client:
    def __init__(self, action, endpoint, seconds, codec):
        self.endpoint, self.seconds, self.codec = endpoint, seconds, codec
        self.session = None
        self.loop = GLib.MainLoop()
        if action == "publish":
            self.pipeline = Gst.parse_launch(
                f"webrtcbin name=rtc bundle-policy=max-bundle videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=640,height=360,framerate=30/1 ! {ENCODERS[codec]} ! {SENT[codec]} ! rtc."
            )
        else:
            self.pipeline = Gst.Pipeline.new()
            rtc = Gst.ElementFactory.make("webrtcbin", "rtc")
            rtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
            self.pipeline.add(rtc)
        self.rtc = self.pipeline.get_by_name("rtc")
        self.rtc.connect("on-negotiation-needed", self.offer)
        self.rtc.connect("on-ice-candidate", lambda *_: None)
        if action == "watch":
            self.rtc.connect("pad-added", self.show)
            caps = Gst.Caps.from_string(CAPS[codec])
            self.rtc.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, caps)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.fail)

    def fail(self, _bus, message):
        print(message.parse_error(), file=sys.stderr, flush=True)
        self.loop.quit()

    def offer(self, rtc):
        rtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered, None, None))

    def offered(self, promise, *_):
        # The offer lives in the reply, which has to outlive it.
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self.rtc.emit("set-local-description", offer, Gst.Promise.new())
        status, headers, answer = request("POST", self.endpoint, offer.sdp.as_text(), {"Content-Type": "application/sdp"})
        say(status=status, etag=headers["ETag"], location=headers["Location"])
        self.session = urllib.parse.urljoin(self.endpoint, headers["Location"])
        _, message = GstSdp.SDPMessage.new_from_text(answer)
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.rtc.emit("set-remote-description", description, Gst.Promise.new())
        GLib.timeout_add(int(self.seconds * 1000), self.leave)

    def show(self, _rtc, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        chain = Gst.parse_bin_from_description(f"{DECODERS[self.codec]} ! videoconvert ! video/x-raw,format=GRAY8 ! appsink name=frames emit-signals=true sync=false async=false", True)
        chain.get_by_name("frames").connect("new-sample", self.frame)
        self.pipeline.add(chain)
        chain.sync_state_with_parent()
        pad.link(chain.get_static_pad("sink"))

    def frame(self, sink):
        sample = sink.emit("pull-sample")
        shape = sample.get_caps().get_structure(0)
        width, height = shape.get_value("width"), shape.get_value("height")
        _, mapped = sample.get_buffer().map(Gst.MapFlags.READ)
        stride = len(mapped.data) // height
        row = mapped.data[stride * (height // 2) : stride * (height // 2) + width]
        say(width=width, height=height, left=row[4], right=row[-5])
        sample.get_buffer().unmap(mapped)
        return Gst.FlowReturn.OK

    def leave(self):
        status, _, _ = request("DELETE", self.session)
        say(deleted=status)
        self.loop.quit()
        return False

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)


Gst.init(None)
Client(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "H264").run()
