/*
 * Sends RTP of a given shape, at its times.
 *
 *   rtp-source SCHEDULE LOOP_MICROS STEP_MICROS OWN_PORT PORT...    to loopback, one port for each track, in order
 *
 * SCHEDULE has a line for each packet: its time in microseconds since the loop began, its track, the bytes of its
 * payload, and 1 where a keyframe begins, 2 where a frame ends, 3 for both. What is due leaves every STEP_MICROS.
 *
 * Prints "ready", then obeys lines on standard input: "run MILLIS" goes on with the loop for so long and
 * prints "ran PACKETS BYTES LATEST", bytes of RTP and the most microseconds that a step was late; "flood MILLIS" sends
 * to the first port as fast as it can. It ends with its input.
 *
 * An RTP timestamp is the time at which its packet was handed to the kernel, of CLOCK_REALTIME at 90 kHz, so that
 * whoever receives it knows how long it took. Tracks have the SSRCs 1000, 1001 and so on.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum { HEADER = 12, PAYLOAD = 1400, FIRST_SSRC = 1000, PAYLOAD_TYPE = 96, KEY = 1, LAST = 2 };

struct packet { int64_t at; int track, bytes, flags; };

static struct packet *packets;
static size_t packet_count;
static int64_t loop_micros, step_micros, position, loop_began;
static size_t next_packet;
static struct sockaddr_in *targets;
static uint16_t *sequences;
static unsigned char buffer[HEADER + PAYLOAD];
static int fd;
static long sent_packets, sent_bytes;

static int64_t micros(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static uint32_t rtp_time(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint32_t)((uint64_t)now.tv_sec * 90000 + (uint64_t)now.tv_nsec * 9 / 100000);
}

static void send_packet(const struct packet *packet)
{
	const uint16_t sequence = htons(sequences[packet->track]++);
	const uint32_t ssrc = htonl(FIRST_SSRC + packet->track), at = htonl(rtp_time());
	buffer[0] = 0x80;
	buffer[1] = PAYLOAD_TYPE | (packet->flags & LAST ? 0x80 : 0);
	memcpy(buffer + 2, &sequence, 2);
	memcpy(buffer + 4, &at, 4);
	memcpy(buffer + 8, &ssrc, 4);
	/* H.264: an SPS where a keyframe begins, which is how SFUs tell, else a slice. RFC 6184 */
	buffer[HEADER] = packet->flags & KEY ? 0x67 : 0x61;
	if (sendto(fd, buffer, HEADER + packet->bytes, 0, (struct sockaddr *)&targets[packet->track], sizeof *targets) < 0) return;
	sent_packets++;
	sent_bytes += HEADER + packet->bytes;
}

static void run(int64_t length)
{
	const int64_t began = micros(), from = position;
	int64_t latest = 0;
	sent_packets = sent_bytes = 0;
	for (int64_t due = 0; due <= length; due += step_micros) {
		const int64_t until = began + due;
		const struct timespec wake = { until / 1000000, until % 1000000 * 1000 };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL);
		const int64_t late = micros() - until;
		if (late > latest) latest = late;
		position = from + due;
		while (loop_began + packets[next_packet].at <= position) {
			send_packet(&packets[next_packet]);
			if (++next_packet < packet_count) continue;
			next_packet = 0;
			loop_began += loop_micros;
		}
	}
	printf("ran %ld %ld %ld\n", sent_packets, sent_bytes, (long)latest);
}

static void flood(int64_t length)
{
	const struct packet packet = { 0, 0, 1180, 0 };
	const int64_t until = micros() + length;
	sent_packets = sent_bytes = 0;
	while (micros() < until)
		for (int i = 0; i < 32; i++) send_packet(&packet);
	printf("ran %ld %ld 0\n", sent_packets, sent_bytes);
}

int main(int argc, char **argv)
{
	if (argc < 6) return 2;
	FILE *schedule = fopen(argv[1], "r");
	if (!schedule) { perror(argv[1]); return 1; }
	loop_micros = atoll(argv[2]);
	step_micros = atoll(argv[3]);
	const int tracks = argc - 5;
	targets = calloc(tracks, sizeof *targets);
	sequences = calloc(tracks, sizeof *sequences);
	for (int i = 0; i < tracks; i++) {
		targets[i].sin_family = AF_INET;
		targets[i].sin_port = htons(atoi(argv[5 + i]));
		targets[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		sequences[i] = 1;
	}
	struct packet packet;
	long long at;
	for (size_t room = 0; fscanf(schedule, "%lld %d %d %d", &at, &packet.track, &packet.bytes, &packet.flags) == 4;) {
		packet.at = at;
		if (packet.track < 0 || packet.track >= tracks || packet.bytes < 1 || packet.bytes > PAYLOAD) return 2;
		if (packet_count == room) packets = realloc(packets, (room = room ? 2 * room : 1024) * sizeof *packets);
		packets[packet_count++] = packet;
	}
	fclose(schedule);
	if (packet_count == 0) return 2;
	for (size_t i = HEADER; i < sizeof buffer; i++) buffer[i] = 1 + i * 31 % 251;
	prctl(PR_SET_TIMERSLACK, 1);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	const int room = 8 << 20;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[4])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(fd, (struct sockaddr *)&own, sizeof own) < 0) { perror("bind"); return 1; }
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	char line[64];
	long duration;
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "run %ld", &duration) == 1) run(duration * 1000);
		else if (sscanf(line, "flood %ld", &duration) == 1) flood(duration * 1000);
		else return 2;
	}
	return 0;
}
