/* The clock of a story for the processes that take part in it: what `clock_gettime(CLOCK_REALTIME)` tells runs from one moment of
 * the story on and as many times as fast. Preloaded; timers, which run on the monotonic clock, stay as they are.
 *
 * STORY_CLOCK="REAL STORY SPEED": nanoseconds since 1970 of one moment on both clocks, and how many times as fast the story's is. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long real_at, story_at, speed;

__attribute__((constructor)) static void read_anchor(void) {
    const char *anchor = getenv("STORY_CLOCK");
    if (!anchor || sscanf(anchor, "%lld %lld %lld", &real_at, &story_at, &speed) != 3)
        speed = 0;
}

int clock_gettime(clockid_t clock, struct timespec *told) {
    int failed = (int)syscall(SYS_clock_gettime, clock, told);
    if (failed || speed == 0 || clock != CLOCK_REALTIME)
        return failed;
    long long now = told->tv_sec * 1000000000LL + told->tv_nsec;
    long long story = story_at + (now - real_at) * speed;
    told->tv_sec = story / 1000000000LL;
    told->tv_nsec = story % 1000000000LL;
    return 0;
}
