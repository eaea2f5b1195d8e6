/*
 * The hold model in C, the measure for engine/core: pop the earliest of N timers from a 4-ary heap of
 * doubles, push it again at now + xorshift32 / 2^32 * 1000.
 *
 *   hold N EVENTS   prints: ns per event, the time of the last event
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double *heap;
static int count;
static uint32_t random_state = 2463534242u;

static double delay(void)
{
    uint32_t x = random_state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    random_state = x;
    return x / 4294967296.0 * 1000.0;
}

static void push(double when)
{
    int at = count++;
    while (at > 0) {
        int parent = (at - 1) >> 2;
        if (heap[parent] <= when)
            break;
        heap[at] = heap[parent];
        at = parent;
    }
    heap[at] = when;
}

static double pop(void)
{
    double first = heap[0];
    double last = heap[--count];
    int at = 0;
    for (;;) {
        int child = at * 4 + 1;
        int end = child + 4 < count ? child + 4 : count;
        if (child >= count)
            break;
        for (int c = child + 1; c < end; c++)
            if (heap[c] < heap[child])
                child = c;
        if (last <= heap[child])
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return first;
}

int main(int argc, char **argv)
{
    int timers = argc > 1 ? atoi(argv[1]) : 64;
    long events = argc > 2 ? atol(argv[2]) : 1000000;
    struct timespec start, end;
    double now = 0;

    heap = malloc(sizeof(double) * (timers + 1));
    for (int i = 0; i < timers; i++)
        push(delay());
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long i = 0; i < events; i++) {
        now = pop();
        push(now + delay());
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.3f %.17g\n",
           ((end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec)) / events, now);
    return 0;
}
