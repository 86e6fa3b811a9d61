import { Counter, Gauge, Histogram } from 'prom-client'
import type { Registry } from 'prom-client'

/** The link that everything belongs to until links are configured. */
export const LOCAL_LINK = 'local'

/**
 * Every metric of a node. `docs/METRICS.md` lists them; a test compares the two.
 *
 * Label values are closed sets: `link` from configuration, `rendition` from the ids a pyramid may have,
 * `role`, `direction`, `kind`, `type` and `outcome` from the code, `worker` from 0 to the number of workers.
 */
export function createNodeMetrics(registry: Registry) {
  const registers = [registry]
  const perRendition = ['link', 'rendition', 'direction'] as const
  const perRole = ['link', 'role'] as const
  return {
    workers: new Gauge({ name: 'kenkyo_workers', help: 'Media workers that run now.', registers }),
    workerDeaths: new Counter({ name: 'kenkyo_worker_deaths_total', help: 'Media workers that died and had to be replaced.', registers }),
    workerCpu: new Counter({
      name: 'kenkyo_worker_cpu_seconds_total', help: 'CPU time of each media worker process, user and system.', labelNames: ['worker'] as const, registers,
    }),
    consultations: new Gauge({ name: 'kenkyo_consultations', help: 'Consultations with at least one member present.', registers }),
    voices: new Gauge({ name: 'kenkyo_voices', help: 'Members who may speak: their voice is at the node, whether or not their microphone is open.', registers }),
    sessions: new Gauge({ name: 'kenkyo_sessions', help: 'Members present, by role.', labelNames: ['role'] as const, registers }),
    requests: new Counter({
      name: 'kenkyo_signaling_requests_total',
      help: 'Signaling messages received, by request type and by ok or the fault code they were answered with.',
      labelNames: ['type', 'outcome'] as const, registers,
    }),
    udpReceiveBufferErrors: new Counter({
      name: 'kenkyo_udp_receive_buffer_errors_total',
      help: 'Datagrams the kernel dropped on a full socket buffer since this node started; counts the whole machine.', registers,
    }),
    renditionBytes: new Counter({
      name: 'kenkyo_rendition_bytes_total',
      help: 'RTP bytes of each rendition, headers and payload: in from the microscope, repaired packets included; out summed over viewers, without retransmissions.',
      labelNames: perRendition, registers,
    }),
    renditionPackets: new Counter({
      name: 'kenkyo_rendition_packets_total', help: 'RTP packets of each rendition, as kenkyo_rendition_bytes_total.', labelNames: perRendition, registers,
    }),
    renditionRate: new Gauge({
      name: 'kenkyo_rendition_rate_bytes_per_second',
      help: 'RTP bytes per second of each rendition as the worker measures it; out summed over viewers.', labelNames: perRendition, registers,
    }),
    renditionLost: new Counter({
      name: 'kenkyo_rendition_lost_packets_total', help: 'RTP packets reported lost by the receiving end (RFC 3550 6.4.1), before repair.', labelNames: perRendition, registers,
    }),
    renditionNacks: new Counter({
      name: 'kenkyo_rendition_nacked_packets_total', help: 'RTP packets asked for again (RFC 4585 6.2.1).', labelNames: perRendition, registers,
    }),
    renditionRetransmitted: new Counter({
      name: 'kenkyo_rendition_retransmitted_packets_total', help: 'RTP packets sent again (RFC 4588).', labelNames: perRendition, registers,
    }),
    renditionPlis: new Counter({
      name: 'kenkyo_rendition_picture_loss_indications_total', help: 'Keyframe requests (PLI, RFC 4585 6.3.1).', labelNames: perRendition, registers,
    }),
    renditionJitter: new Gauge({
      name: 'kenkyo_rendition_jitter_seconds', help: 'Interarrival jitter (RFC 3550 6.4.1) of each rendition; out is the largest over viewers.', labelNames: perRendition, registers,
    }),
    renditionScore: new Gauge({
      name: 'kenkyo_rendition_score', help: 'mediasoup stream score, 0 (bad) to 10 (perfect); out is the smallest over viewers.', labelNames: perRendition, registers,
    }),
    renditionWatchers: new Gauge({
      name: 'kenkyo_rendition_watchers', help: 'Viewers that a rendition flows to now.', labelNames: ['link', 'rendition'] as const, registers,
    }),
    transportBytes: new Counter({
      name: 'kenkyo_transport_bytes_total',
      help: 'Bytes on WebRTC transports by the role of the far end: kind rtp, rtx (retransmissions), probation, or all (with ICE, DTLS, RTCP).',
      labelNames: ['link', 'role', 'direction', 'kind'] as const, registers,
    }),
    transportRtt: new Histogram({
      name: 'kenkyo_transport_round_trip_seconds', help: 'Round trip time (RTCP, RFC 3550 6.4.1), observed at each statistics reading once for every rendition that flows.',
      labelNames: perRole, buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1], registers,
    }),
    uplinkBudget: new Gauge({
      name: 'kenkyo_uplink_budget_bytes_per_second', help: 'What microscopes say that their lines to this node carry; the smallest. Absent where none has shown a limit.',
      labelNames: ['link'] as const, registers,
    }),
    withheld: new Gauge({
      name: 'kenkyo_renditions_withheld', help: 'Renditions in view that do not flow for lack of room on a line, summed over viewers; cause says whose line.',
      labelNames: ['link', 'cause'] as const, registers,
    }),
    undemanded: new Counter({
      name: 'kenkyo_undemanded_bytes_total', help: 'RTP bytes that microscopes sent of renditions they were not asked for.', labelNames: ['link'] as const, registers,
    }),
    viewerFrameRate: new Gauge({
      name: 'kenkyo_viewer_frames_per_second', help: 'Instants that viewers say they draw per second; the smallest over viewers.', labelNames: ['link'] as const, registers,
    }),
    viewerFreezes: new Counter({
      name: 'kenkyo_viewer_freezes_total', help: 'Freezes of the picture as drawn, as viewers report them, counted when they end.', labelNames: ['link'] as const, registers,
    }),
    viewerLongestFreeze: new Gauge({
      name: 'kenkyo_viewer_longest_freeze_seconds', help: 'Longest freeze that viewers reported in the last minute; 0 without any.', labelNames: ['link'] as const, registers,
    }),
    viewerCaptureToGlass: new Histogram({
      name: 'kenkyo_viewer_capture_to_glass_seconds',
      help: "From the source's handing an image over to its drawing being issued at a viewer: the median of each report, where all clocks are known.",
      labelNames: ['link'] as const, buckets: [0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 2, 5], registers,
    }),
    viewerNativePixels: new Gauge({
      name: 'kenkyo_viewer_native_pixel_ratio',
      help: 'Part of the visible image of which viewers show all the detail that their zoom has room for; the smallest over viewers.', labelNames: ['link'] as const, registers,
    }),
    viewerMediaPaths: new Gauge({
      name: 'kenkyo_viewer_media_paths', help: 'Viewers by the way that media comes to them, as they report it: from the node itself, or over a relay.',
      labelNames: ['media_path'] as const, registers,
    }),
    transportEstimate: new Gauge({
      name: 'kenkyo_transport_outgoing_estimate_bytes_per_second', help: 'Smallest available outgoing rate that the congestion controller reports over transports.',
      labelNames: perRole, registers,
    }),
  }
}

/** The metrics of one node. */
export type NodeMetrics = ReturnType<typeof createNodeMetrics>
