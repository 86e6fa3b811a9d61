"""WHIP and WHEP by aiortc, which nobody here wrote.

Usage: aiortc_client.py publish|watch ENDPOINT SECONDS, the invitation in KENKYO_INVITATION_TOKEN.
`watch` prints a line of JSON for every frame; both end with a DELETE.
"""
import asyncio
import fractions
import json
import os
import sys
import urllib.parse
import urllib.request

import numpy
from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import VideoStreamTrack
from av import VideoFrame

WIDTH, HEIGHT = 640, 360


class Ramp(VideoStreamTrack):
    """Grey that gets brighter from left to right, so that it can be told from nothing."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        row = numpy.linspace(16, 235, WIDTH).astype(numpy.uint8)
        frame = VideoFrame.from_ndarray(numpy.repeat(numpy.tile(row, (HEIGHT, 1))[:, :, None], 3, axis=2), format="rgb24")
        frame.pts, frame.time_base = pts, fractions.Fraction(time_base)
        return frame


def request(method, url, body=None, headers=None):
    headers = {"Authorization": "Bearer " + os.environ["KENKYO_INVITATION_TOKEN"], **(headers or {})}
    call = urllib.request.Request(url, data=None if body is None else body.encode(), method=method, headers=headers)
    with urllib.request.urlopen(call, timeout=10) as response:
        return response.status, response.headers, response.read().decode()


def prefer(pc, kind_source, mime_type):
    """Offers one codec and its RTX alone."""
    codecs = [codec for codec in kind_source.getCapabilities("video").codecs if codec.mimeType in (mime_type, "video/rtx")]
    for transceiver in pc.getTransceivers():
        transceiver.setCodecPreferences(codecs)


async def main():
    action, endpoint, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    pc = RTCPeerConnection()
    frames = asyncio.Event()

    async def watch(track):
        while True:
            frame = await track.recv()
            grey = frame.to_ndarray(format="gray")
            middle = frame.height // 2
            row = grey[middle]
            print(json.dumps({"width": frame.width, "height": frame.height, "left": int(row[4]), "right": int(row[-5])}), flush=True)
            frames.set()

    if action == "publish":
        pc.addTrack(Ramp())
        prefer(pc, RTCRtpSender, "video/H264")
    else:
        pc.addTransceiver("video", direction="recvonly")
        prefer(pc, RTCRtpReceiver, "video/H264")
        pc.on("track", lambda track: asyncio.ensure_future(watch(track)))
    await pc.setLocalDescription(await pc.createOffer())
    loop = asyncio.get_running_loop()
    status, headers, answer = await loop.run_in_executor(None, request, "POST", endpoint, pc.localDescription.sdp, {"Content-Type": "application/sdp"})
    print(json.dumps({"status": status, "etag": headers["ETag"], "location": headers["Location"]}), flush=True)
    session = urllib.parse.urljoin(endpoint, headers["Location"])
    await pc.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await asyncio.sleep(seconds)
    status, _, _ = await loop.run_in_executor(None, request, "DELETE", session)
    print(json.dumps({"deleted": status, "state": pc.connectionState}), flush=True)
    await pc.close()


asyncio.run(main())
