/*
 * Receives for many viewers and counts, without decrypting anything.
 *
 *   rtp-sink VIEWERS
 *
 * Each viewer has two UDP ports on loopback: an outer one, which an SFU sends to, and an inner one, at which the
 * viewer's WebRTC library takes this program for the SFU. Everything but RTP is passed on from one to the other, so
 * that the library does ICE and DTLS; of RTP it gets only as many packets as are asked for, to decrypt as a sample.
 *
 * Prints "ports OUTER INNER" for each viewer, then obeys lines on standard input:
 *   engine VIEWER IP PORT    where the SFU is
 *   sample PACKETS           pass on so many RTP packets of each viewer from here on
 *   reset                    forget what was counted
 *   read                     print "read PACKETS BYTES DROPPED CPU_MICROS P50 P95 P99 MAX"
 * DROPPED is what the kernel dropped at full sockets, bytes are UDP payload, and the last four are microseconds from
 * the RTP timestamp (rtp-source.c) to the kernel's own time of arrival. Of an SFU that gives timestamps another origin,
 * they are microseconds more than the fastest packet of the stream took. It ends with its input.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, SIZE = 2048, ROOM = 4 << 20, TICKS = 1 << 18, STREAMS = 256, EVENTS = 64, INPUT = -1 };

/* A stream of one viewer, and the least ticks from timestamp to arrival. */
struct stream { uint32_t ssrc; int32_t least; };

struct viewer {
	struct stream streams[STREAMS];
	int outer, inner;
	struct sockaddr_in engine, library;
	int has_library;
	long samples;
	uint32_t dropped, dropped_before;
};

static struct viewer *viewers;
static int viewer_count;
static long packets, bytes;
static uint32_t delays[TICKS];
static struct mmsghdr messages[BATCH];
static struct iovec vectors[BATCH];
static unsigned char buffers[BATCH][SIZE], controls[BATCH][128];
static struct sockaddr_in sources[BATCH];

static void prepare(void)
{
	for (int i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){ buffers[i], SIZE };
		messages[i].msg_hdr = (struct msghdr){ .msg_name = &sources[i], .msg_namelen = sizeof sources[i], .msg_iov = &vectors[i], .msg_iovlen = 1, .msg_control = controls[i], .msg_controllen = sizeof controls[i] };
	}
}

static int is_rtp(const unsigned char *data, size_t length)
{
	/* RFC 7983 section 7, and RFC 5761 section 4 for RTCP. */
	return length >= 12 && data[0] >= 128 && data[0] <= 191 && !(data[1] >= 192 && data[1] <= 223);
}

/* Ticks that count as none. */
static int32_t origin(struct viewer *viewer, uint32_t ssrc, int32_t ticks)
{
	struct stream *stream = &viewer->streams[ssrc % STREAMS];
	for (int i = 0; i < STREAMS && stream->ssrc != ssrc && stream->ssrc != 0; i++) stream = &viewer->streams[(ssrc + i + 1) % STREAMS];
	if (stream->ssrc != ssrc) *stream = (struct stream){ ssrc, ticks };
	if (ticks - stream->least < 0) stream->least = ticks;
	return stream->least >= 0 && stream->least < TICKS ? 0 : stream->least;
}

static void count(struct viewer *viewer, struct msghdr *header, const unsigned char *data, size_t length)
{
	packets++;
	bytes += length;
	struct timespec arrived = { 0, 0 };
	for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
		if (control->cmsg_level != SOL_SOCKET) continue;
		if (control->cmsg_type == SO_TIMESTAMPNS) memcpy(&arrived, CMSG_DATA(control), sizeof arrived);
		if (control->cmsg_type == SO_RXQ_OVFL) memcpy(&viewer->dropped, CMSG_DATA(control), sizeof viewer->dropped);
	}
	if (arrived.tv_sec == 0) return;
	uint32_t sent, ssrc;
	memcpy(&sent, data + 4, 4);
	memcpy(&ssrc, data + 8, 4);
	int32_t ticks = (int32_t)((uint32_t)((uint64_t)arrived.tv_sec * 90000 + (uint64_t)arrived.tv_nsec * 9 / 100000) - ntohl(sent));
	ticks -= origin(viewer, ssrc, ticks);
	if (ticks < 0) ticks = 0;
	if (ticks >= TICKS) ticks = TICKS - 1;
	delays[ticks]++;
}

static void from_engine(struct viewer *viewer)
{
	for (;;) {
		prepare();
		const int got = recvmmsg(viewer->outer, messages, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < got; i++) {
			const size_t length = messages[i].msg_len;
			const int media = is_rtp(buffers[i], length);
			if (media) count(viewer, &messages[i].msg_hdr, buffers[i], length);
			if (media && viewer->samples-- <= 0) viewer->samples = 0;
			else if (viewer->has_library) sendto(viewer->inner, buffers[i], length, MSG_DONTWAIT, (struct sockaddr *)&viewer->library, sizeof viewer->library);
		}
		if (got < BATCH) return;
	}
}

static void from_library(struct viewer *viewer)
{
	unsigned char data[SIZE];
	socklen_t length = sizeof viewer->library;
	ssize_t got;
	while ((got = recvfrom(viewer->inner, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&viewer->library, &length)) > 0) {
		viewer->has_library = 1;
		if (viewer->engine.sin_port) sendto(viewer->outer, data, got, MSG_DONTWAIT, (struct sockaddr *)&viewer->engine, sizeof viewer->engine);
	}
}

static long quantile(double share)
{
	uint64_t all = 0, below = 0;
	for (int i = 0; i < TICKS; i++) all += delays[i];
	for (int i = 0; i < TICKS; i++) {
		below += delays[i];
		if (all && below >= share * all) return i * 1000L / 90;
	}
	return 0;
}

static void report(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	long dropped = 0;
	for (int i = 0; i < viewer_count; i++) dropped += (uint32_t)(viewers[i].dropped - viewers[i].dropped_before);
	printf("read %ld %ld %ld %lld %ld %ld %ld %ld\n", packets, bytes, dropped,
	       (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec,
	       quantile(0.5), quantile(0.95), quantile(0.99), quantile(1));
}

static int obey(char *line)
{
	int index, port;
	long amount;
	char ip[64];
	if (sscanf(line, "engine %d %63s %d", &index, ip, &port) == 3 && index >= 0 && index < viewer_count) {
		viewers[index].engine = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
		return inet_pton(AF_INET, ip, &viewers[index].engine.sin_addr) == 1;
	}
	if (sscanf(line, "sample %ld", &amount) == 1) {
		for (int i = 0; i < viewer_count; i++) viewers[i].samples = amount;
		return 1;
	}
	if (strcmp(line, "reset") == 0) {
		packets = bytes = 0;
		memset(delays, 0, sizeof delays);
		for (int i = 0; i < viewer_count; i++) viewers[i].dropped_before = viewers[i].dropped;
		return 1;
	}
	if (strcmp(line, "read") == 0) {
		report();
		return 1;
	}
	return 0;
}

static int bound(void)
{
	const int fd = socket(AF_INET, SOCK_DGRAM, 0), room = ROOM, yes = 1;
	struct sockaddr_in own = { .sin_family = AF_INET };
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
	setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof yes);
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) < 0) { perror("bind"); exit(1); }
	return fd;
}

static int port_of(int fd)
{
	struct sockaddr_in own;
	socklen_t length = sizeof own;
	getsockname(fd, (struct sockaddr *)&own, &length);
	return ntohs(own.sin_port);
}

int main(int argc, char **argv)
{
	if (argc != 2 || (viewer_count = atoi(argv[1])) < 1) return 2;
	viewers = calloc(viewer_count, sizeof *viewers);
	setvbuf(stdout, NULL, _IOLBF, 0);
	const int poll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = INPUT };
	epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
	for (int i = 0; i < viewer_count; i++) {
		viewers[i].outer = bound();
		viewers[i].inner = bound();
		for (int side = 0; side < 2; side++) {
			event.data.fd = 2 * i + side;
			epoll_ctl(poll, EPOLL_CTL_ADD, side ? viewers[i].inner : viewers[i].outer, &event);
		}
		printf("ports %d %d\n", port_of(viewers[i].outer), port_of(viewers[i].inner));
	}
	char line[256];
	size_t filled = 0;
	struct epoll_event events[EVENTS];
	for (;;) {
		const int ready = epoll_wait(poll, events, EVENTS, -1);
		for (int i = 0; i < ready; i++) {
			const int which = events[i].data.fd;
			if (which != INPUT) {
				if (which % 2) from_library(&viewers[which / 2]);
				else from_engine(&viewers[which / 2]);
				continue;
			}
			char byte;
			if (read(STDIN_FILENO, &byte, 1) <= 0) return 0;
			if (byte != '\n') {
				if (filled + 1 < sizeof line) line[filled++] = byte;
				continue;
			}
			line[filled] = 0;
			filled = 0;
			if (!obey(line)) return 2;
		}
	}
}
