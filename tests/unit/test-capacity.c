/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/capacity.h"

static const ProtoHost host = { .vcpus = 4, .memory_bytes = 1000, .disk_bytes = 5000 };

static HostConfig
make_config(void)
{
    return (HostConfig){ .cpu_percent = 100, .memory_percent = 100, .disk_percent = 100 };
}

static void
assert_capacity(const HostConfig *config, gint64 vcpus, gint64 memory, gint64 disk)
{
    const Quota capacity = capacity_of(config, &host);

    g_assert_cmpint(capacity.amount[QUOTA_INSTANCES], ==, G_MAXINT64);
    g_assert_cmpint(capacity.amount[QUOTA_VCPUS], ==, vcpus);
    g_assert_cmpint(capacity.amount[QUOTA_MEMORY_BYTES], ==, memory);
    g_assert_cmpint(capacity.amount[QUOTA_DISK_BYTES], ==, disk);
}

static void
test_all_that_it_has_is_given_away(void)
{
    const HostConfig config = make_config();

    assert_capacity(&config, 4, 1000, 5000);
}

static void
test_the_reserve_is_taken_off_before_the_rest_is_given_away(void)
{
    HostConfig config = make_config();

    config.reserve_vcpus = 1;
    config.cpu_percent = 300;
    config.reserve_memory = 100;
    config.memory_percent = 50;
    config.reserve_disk = 4999;
    assert_capacity(&config, 9, 450, 1);
}

static void
test_a_reserve_beyond_what_it_has_leaves_nothing(void)
{
    HostConfig config = make_config();

    config.reserve_vcpus = 5;
    config.reserve_memory = 1000;
    config.reserve_disk = G_MAXINT64;
    assert_capacity(&config, 0, 0, 0);
}

static void
test_what_is_given_away_is_rounded_down(void)
{
    HostConfig config = make_config();

    config.cpu_percent = 99;
    assert_capacity(&config, 3, 1000, 5000);
}

static void
test_more_than_can_be_counted_is_the_most_that_can(void)
{
    const ProtoHost huge = { .memory_bytes = G_MAXINT64 };
    HostConfig config = make_config();

    config.memory_percent = 100000;
    g_assert_cmpint(capacity_of(&config, &huge).amount[QUOTA_MEMORY_BYTES], ==,
                    G_MAXINT64);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/capacity/all-of-it", test_all_that_it_has_is_given_away);
    g_test_add_func("/capacity/reserve-first",
                    test_the_reserve_is_taken_off_before_the_rest_is_given_away);
    g_test_add_func("/capacity/reserve-too-large",
                    test_a_reserve_beyond_what_it_has_leaves_nothing);
    g_test_add_func("/capacity/rounded-down", test_what_is_given_away_is_rounded_down);
    g_test_add_func("/capacity/does-not-wrap",
                    test_more_than_can_be_counted_is_the_most_that_can);
    return g_test_run();
}
