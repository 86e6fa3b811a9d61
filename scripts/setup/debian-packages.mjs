import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { run } from './command.mjs'
import { logFile } from './places.mjs'
import { begin, say, SetupFailure } from './terminal.mjs'

/** Needed to run a node and a capture agent. openssl checks certificates. fontconfig-config lets sharp and ffmpeg find the fonts. */
export const START_PACKAGES = ['ca-certificates', 'fontconfig-config', 'fonts-dejavu-core', 'openssl']

/**
 * Needed by the tests on top: a browser and a Japanese font for it, `ip`, `tc`, ethtool and ping for emulated lines,
 * tcpdump to observe them, coturn and nftables for hospitals that let nothing but TLS out, promtool, NIST's path validation suite and sslscan, independent programs that read slides: OpenSlide, libvips, dcmtk, dicom3tools and
 * Orthanc, one that writes JPEG 2000, and two WebRTC clients that nobody here wrote: aiortc and GStreamer.
 */
export const TEST_PACKAGES = [
  'chromium', 'coturn', 'ethtool', 'fonts-ipaexfont-gothic', 'iproute2', 'iputils-ping', 'nftables', 'prometheus', 'python3-cryptography-vectors', 'sslscan', 'tcpdump',
  'dcmtk', 'dicom3tools', 'libopenjp2-tools', 'libvips-tools', 'openslide-tools', 'orthanc', 'orthanc-dicomweb',
  'gir1.2-gst-plugins-bad-1.0', 'gstreamer1.0-nice', 'gstreamer1.0-plugins-bad', 'gstreamer1.0-plugins-good', 'python3-aiortc', 'python3-gst-1.0',
]

/**
 * Needed by the benches on top of what tests need: an independent tool that says how accurate an emulated line is, SRT and
 * what carries files to compare with, Janus and pion to compare fan-out with, and a compiler for what measures it.
 */
export const BENCH_PACKAGES = ['aria2', 'curl', 'gcc', 'golang-github-pion-webrtc.v3-dev', 'golang-go', 'iperf3', 'janus', 'libc6-dev', 'rclone', 'rsync', 'srt-tools']

/** Packages of which only programs are wanted: their servers must not start with the machine. */
const SERVERS = ['coturn', 'janus', 'orthanc', 'prometheus']

const POLICY = '/usr/sbin/policy-rc.d'

/**
 * Installs those of the packages that are missing, all in one call of apt-get.
 *
 * @param {string[]} names
 * @throws {SetupFailure} When some are missing and this user is not root, or when apt-get fails.
 */
export async function installDebianPackages(names) {
  const missing = missingPackages(names)
  if (missing.length === 0) return
  const install = ['install', '--yes', '--no-install-recommends', ...missing]
  if (process.getuid?.() !== 0) {
    throw new SetupFailure(`Debian packages are missing; install them with: sudo apt-get ${install.join(' ')}`)
  }

  const log = logFile('debian-packages')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }
  say(`Debian packages are missing: ${missing.join(' ')}`)
  const step = begin('Debian packages')
  /** @param {string} line */
  const onLine = line => {
    const status = /^(dlstatus|pmstatus):[^:]*:([\d.]+):/.exec(line)
    if (status) step.progress(`${status[1] === 'dlstatus' ? 'download' : 'installation'} ${Math.round(Number(status[2]))} %`)
  }
  // Lists that cannot be refreshed may still do; what is really missing fails the installation.
  await run('apt-get', ['update', '--quiet'], { log, env })
  // A descriptor of its own for the status, since apt-get closes it to the scripts that packages run.
  const aptGet = ['-c', 'exec apt-get "$@" 3>&1', 'apt-get', '-o', 'APT::Status-Fd=3', '-o', 'DPkg::Lock::Timeout=300']
  const code = await withoutDaemons(() => run('sh', [...aptGet, ...install], { log, env, onLine }))
  for (const server of SERVERS) if (missing.includes(server)) spawnSync('update-rc.d', [server, 'disable'])
  if (code !== 0) throw new SetupFailure(`apt-get could not install ${missing.join(' ')}; full log: ${log}`)
  step.end()
}

/**
 * @param {string[]} names
 * @returns {string[]} Those which dpkg does not know as installed.
 */
function missingPackages(names) {
  const query = spawnSync('dpkg-query', ['--show', '--showformat=${Package} ${db:Status-Status}\n', ...names], { encoding: 'utf8' })
  if (query.error) {
    say(`this system has no dpkg; counting on it to have what Debian calls ${names.join(' ')}`)
    return []
  }
  const installed = new Set(query.stdout.split('\n').map(line => line.split(' ')).filter(([, status]) => status === 'installed').map(([name]) => name))
  return names.filter(name => !installed.has(name))
}

/**
 * Does the work while packages may not start daemons (prometheus would start its server).
 *
 * @template Result
 * @param {() => Promise<Result>} work
 */
async function withoutDaemons(work) {
  if (existsSync(POLICY)) return work()
  writeFileSync(POLICY, '#!/bin/sh\n# Present only while the setup of kenkyo installs packages.\nexit 101\n', { mode: 0o755 })
  try {
    return await work()
  } finally {
    rmSync(POLICY)
  }
}
