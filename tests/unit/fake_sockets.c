/* SPDX-License-Identifier: Apache-2.0 */
/* Files that stand for host descriptors received over a socket. */
#include "fake_sockets.h"
#include "hostio/hostio.h"

u32 fake_received;

static int received_fd(struct file *f)
{
	return (int)(u64)f->priv;
}

static void received_release(struct file *f)
{
	fake_received--;
	(void)!host_close(received_fd(f));
}

static const struct file_ops ops = {
	.kind = "received", .host_fd = received_fd, .release = received_release,
};

struct file *host_file_new(int hostfd, u32 flags, const char *path, bool inherited)
{
	struct file *f = file_new(&ops, flags, (void *)(u64)hostfd);

	fake_received += f != NULL;
	return f;
}

struct file *socket_from_host(int hostfd, u32 flags)
{
	return host_file_new(hostfd, flags, NULL, true);
}

/* Nothing here is carried by rings. */
int socket_pass(struct file *f)
{
	(void)f;
	return 0;
}
