/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/watch.h"

/** One end is watched; what is written to the other is an event. */
typedef struct {
    int fd;
    int other;
    WireWatch *watch;
    guint told;
    uint32_t events;
    /** What to do when told. */
    void (*then)(void *data);
    void *data;
} Side;

static void
on_told(uint32_t events, gpointer data)
{
    Side *side = data;
    char byte = 0;

    side->told++;
    side->events = events;
    if ((events & EPOLLIN) != 0)
        (void) !recv(side->fd, &byte, 1, MSG_DONTWAIT);
    if (side->then != NULL)
        side->then(side->data);
}

static void
side_init(Side *side, uint32_t events)
{
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    *side = (Side){ .fd = fds[0], .other = fds[1] };
    side->watch = wire_watch_new(side->fd, events, on_told, side);
}

static void
side_done(Side *side)
{
    wire_watch_free(side->watch);
    close(side->fd);
    close(side->other);
}

static void
poke(const Side *side)
{
    g_assert_cmpint(write(side->other, "x", 1), ==, 1);
}

static void
turn(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static void
test_who_is_written_to_is_told_and_nobody_else(void)
{
    Side a;
    Side b;

    side_init(&a, EPOLLIN);
    side_init(&b, EPOLLIN);
    turn();
    g_assert_cmpuint(a.told + b.told, ==, 0);
    poke(&b);
    turn();
    g_assert_cmpuint(a.told, ==, 0);
    g_assert_cmpuint(b.told, ==, 1);
    g_assert_cmpuint(b.events, ==, EPOLLIN);
    side_done(&a);
    side_done(&b);
}

static void
test_what_is_waited_for_can_change(void)
{
    Side side;

    side_init(&side, 0);
    poke(&side);
    turn();
    g_assert_cmpuint(side.told, ==, 0);
    wire_watch_set_events(side.watch, EPOLLIN);
    turn();
    g_assert_cmpuint(side.told, ==, 1);
    side_done(&side);
}

static void
test_an_end_is_told(void)
{
    Side side;

    side_init(&side, 0);
    shutdown(side.other, SHUT_RDWR);
    g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(side.events & EPOLLHUP, ==, EPOLLHUP);
    side_done(&side);
}

static void
free_watch(void *data)
{
    Side *side = data;

    g_clear_pointer(&side->watch, wire_watch_free);
}

/* Both have events in one turn, and whoever is told first frees the other. */
static void
test_who_was_freed_in_the_same_turn_is_not_told(void)
{
    Side a;
    Side b;

    side_init(&a, EPOLLIN);
    side_init(&b, EPOLLIN);
    a.then = b.then = free_watch;
    a.data = &b;
    b.data = &a;
    poke(&a);
    poke(&b);
    turn();
    g_assert_cmpuint(a.told + b.told, ==, 1);
    side_done(&a);
    side_done(&b);
}

static void
test_a_watch_may_free_itself(void)
{
    Side side;

    side_init(&side, EPOLLIN);
    side.then = free_watch;
    side.data = &side;
    poke(&side);
    poke(&side);
    turn();
    g_assert_cmpuint(side.told, ==, 1);
    side_done(&side);
}

static void
turn_and_free(void *data)
{
    turn();
    free_watch(data);
    turn();
}

/* The loop within must not free what the one around it still has to look at. */
static void
test_who_is_told_may_run_the_main_loop(void)
{
    Side a;
    Side b;

    side_init(&a, EPOLLIN);
    side_init(&b, EPOLLIN);
    a.then = b.then = turn_and_free;
    a.data = &b;
    b.data = &a;
    poke(&a);
    poke(&b);
    turn();
    g_assert_cmpuint(a.told, ==, 1);
    g_assert_cmpuint(b.told, ==, 1);
    side_done(&a);
    side_done(&b);
}

static void
test_nothing_is_left_open(void)
{
    Side side;
    int next = -1;

    turn();
    next = dup(STDIN_FILENO);
    close(next);
    side_init(&side, EPOLLIN);
    side_done(&side);
    g_assert_cmpint(dup(STDIN_FILENO), ==, next);
    close(next);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/watch/who-is-written-to-is-told-and-nobody-else",
                    test_who_is_written_to_is_told_and_nobody_else);
    g_test_add_func("/watch/what-is-waited-for-can-change",
                    test_what_is_waited_for_can_change);
    g_test_add_func("/watch/an-end-is-told", test_an_end_is_told);
    g_test_add_func("/watch/who-was-freed-in-the-same-turn-is-not-told",
                    test_who_was_freed_in_the_same_turn_is_not_told);
    g_test_add_func("/watch/a-watch-may-free-itself", test_a_watch_may_free_itself);
    g_test_add_func("/watch/who-is-told-may-run-the-main-loop",
                    test_who_is_told_may_run_the_main_loop);
    g_test_add_func("/watch/nothing-is-left-open", test_nothing_is_left_open);
    return g_test_run();
}
