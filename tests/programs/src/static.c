/* SPDX-License-Identifier: Apache-2.0 */
/* What a libc asks of the kernel, in one program that any libc builds (cases/static.sh). */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static sem_t finished;
static long counter;
static __thread int own = 3;
static volatile sig_atomic_t caught;

static void *count(void *arg)
{
	own += (int)(long)arg;
	for (int i = 0; i < 10000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&lock);
	}
	sem_post(&finished);
	return (void *)(long)own;
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void handler(int signo)
{
	caught = signo;
}

static void threads(void)
{
	pthread_t t[8];
	struct timespec soon;
	void *res;
	long sum = 0;

	sem_init(&finished, 0, 0);
	for (long i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, count, (void *)i);
	pthread_mutex_lock(&lock);
	while (counter < 40000)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < 8; i++) {
		sem_wait(&finished);
		pthread_join(t[i], &res);
		sum += (long)res;
	}
	printf("counted %ld, sum %ld, own %d\n", counter, sum, own);
	pthread_create(t, NULL, sleeper, NULL);
	usleep(10000);
	pthread_cancel(t[0]);
	pthread_join(t[0], &res);
	printf("cancelled %d\n", res == PTHREAD_CANCELED);
	pthread_mutex_lock(&lock);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 1000000;
	soon.tv_sec += soon.tv_nsec / 1000000000;
	soon.tv_nsec %= 1000000000;
	printf("timed out %d\n", pthread_mutex_timedlock(&lock, &soon) == ETIMEDOUT);
	pthread_mutex_unlock(&lock);
}

static void sockets(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	struct addrinfo hint = { .ai_family = AF_INET, .ai_flags = AI_NUMERICHOST }, *ai;
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	int server;
	char text[8] = "";

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	printf("bind %d ", bind(listener, (void *)&sa, len));
	printf("listen %d ", listen(listener, 5));
	getsockname(listener, (void *)&sa, &len);
	printf("connect %d\n", connect(client, (void *)&sa, len));
	server = accept(listener, NULL, NULL);
	if (write(client, "abc", 3) == 3 && read(server, text, sizeof(text)) == 3)
		puts(text);
	printf("name %d\n", getaddrinfo("127.0.0.1", "80", &hint, &ai));
	freeaddrinfo(ai);
	close(server);
	close(client);
	close(listener);
}

static void memory_and_files(void)
{
	char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *large = malloc(100 << 20);
	DIR *dir = opendir("/etc");
	struct dirent *entry;
	FILE *file = tmpfile();
	int found = 0;

	memset(p, 1, 1 << 20);
	p = mremap(p, 1 << 20, 2 << 20, MREMAP_MAYMOVE);
	printf("moved %d %d\n", p[1000], p[(2 << 20) - 1]);
	memset(large, 1, 100 << 20);
	free(large);
	while ((entry = readdir(dir)))
		found += !strcmp(entry->d_name, "passwd");
	closedir(dir);
	printf("found %d\n", found);
	fprintf(file, "%.3f", 1.5);
	rewind(file);
	printf("file %c\n", fgetc(file));
	fclose(file);
	printf("%s\n", fopen("/nothing/here", "r") ? "opened" : strerror(errno));
}

int main(void)
{
	sigset_t one;
	int signo;

	threads();
	signal(SIGALRM, handler);
	alarm(1);
	pause();
	printf("caught %d\n", (int)caught);
	sigemptyset(&one);
	sigaddset(&one, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &one, NULL);
	kill(getpid(), SIGUSR2);
	printf("waited %d ", sigwait(&one, &signo));
	printf("%d\n", signo);
	sockets();
	memory_and_files();
	return 7;
}
