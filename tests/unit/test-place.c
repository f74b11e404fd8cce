/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "place/place.h"

static const ProtoSize size = { .vcpus = 2, .memory_bytes = 100, .disk_bytes = 1000 };

/* Quota */

static void
test_quota_is_held_to_the_unit(void)
{
    const Quota limit = { { 2, 4, 200, 2000 } };

    for (int resource = 0; resource < QUOTA_RESOURCES; resource++) {
        g_autoptr(GError) error = NULL;
        Quota used = { 0 };
        Quota asked = { 0 };

        quota_add(&used, &size, 1);
        quota_add(&asked, &size, 1);
        g_assert_true(quota_admit(&used, &asked, &limit, &error));
        g_assert_no_error(error);
        asked.amount[resource]++;
        g_assert_false(quota_admit(&used, &asked, &limit, &error));
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_QUOTA_EXCEEDED);
        const ProtoErrorQuotaExceeded *said = wire_error_get_parameters(error);

        g_assert_cmpstr(said->resource, ==,
                        quota_resource_to_string((QuotaResource) resource));
        g_assert_cmpint(said->used, ==, used.amount[resource]);
        g_assert_cmpint(said->asked, ==, asked.amount[resource]);
        g_assert_cmpint(said->limit, ==, limit.amount[resource]);
    }
}

static void
test_quota_that_was_lowered_admits_nothing(void)
{
    const Quota limit = { { 1, 1, 1, 1 } };
    Quota used = { 0 };
    Quota asked = { 0 };

    quota_add(&used, &size, 5);
    g_assert_true(quota_admit(&used, &asked, &limit, NULL));
    asked.amount[QUOTA_INSTANCES] = 1;
    g_assert_false(quota_admit(&used, &asked, &limit, NULL));
}

static void
test_sums_do_not_wrap(void)
{
    const ProtoSize huge = { .vcpus = G_MAXINT64,
                             .memory_bytes = G_MAXINT64,
                             .disk_bytes = 1 };
    Quota sum = { 0 };

    quota_add(&sum, &huge, 3);
    quota_add(&sum, &huge, 1);
    g_assert_cmpint(sum.amount[QUOTA_VCPUS], ==, G_MAXINT64);
    g_assert_cmpint(sum.amount[QUOTA_MEMORY_BYTES], ==, G_MAXINT64);
    g_assert_cmpint(sum.amount[QUOTA_DISK_BYTES], ==, 4);
    g_assert_cmpint(sum.amount[QUOTA_INSTANCES], ==, 4);
}

/* Placement */

static void
test_the_host_with_most_memory_left_is_chosen(void)
{
    const PlaceHost hosts[] = {
        { "full", NULL, { { 9, 9, 1000, 9000 } }, { { 1, 1, 950, 0 } } },
        { "some", NULL, { { 9, 9, 1000, 9000 } }, { { 1, 1, 500, 0 } } },
        { "most", NULL, { { 9, 9, 900, 9000 } }, { { 1, 1, 100, 0 } } },
        { "away", "is unreachable", { { 9, 9, 9000, 9000 } }, { { 0 } } },
    };
    gsize index = 0;

    g_assert_true(place_choose(hosts, G_N_ELEMENTS(hosts), &size, &index, NULL));
    g_assert_cmpstr(hosts[index].name, ==, "most");
}

static void
test_room_is_held_to_the_unit(void)
{
    PlaceHost host = { "a", NULL, { { 1, 2, 100, 1000 } }, { { 0 } } };

    for (int resource = 0; resource < QUOTA_RESOURCES; resource++) {
        gsize index = 7;

        g_assert_true(place_choose(&host, 1, &size, &index, NULL));
        g_assert_cmpuint(index, ==, 0);
        host.used.amount[resource] = 1;
        index = 7;
        g_assert_false(place_choose(&host, 1, &size, &index, NULL));
        g_assert_cmpuint(index, ==, 7);
        host.used.amount[resource] = 0;
    }
}

static void
test_every_host_says_why_not(void)
{
    const PlaceHost hosts[] = {
        { "away", "is unreachable", { { 9, 9, 9000, 9000 } }, { { 0 } } },
        { "small", NULL, { { 9, 1, 9000, 9000 } }, { { 0 } } },
    };
    g_autoptr(GError) error = NULL;
    gsize index = 0;

    g_assert_false(place_choose(hosts, G_N_ELEMENTS(hosts), &size, &index, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_NO_CAPACITY);
    const ProtoErrorNoCapacity *said = wire_error_get_parameters(error);

    g_assert_cmpuint(said->n_refusals, ==, 2);
    g_assert_cmpstr(said->refusals[0].host, ==, "away");
    g_assert_cmpstr(said->refusals[0].reason, ==, "is unreachable");
    g_assert_cmpstr(said->refusals[1].reason, ==, "vcpus: 2 asked, 1 left");
}

static void
test_no_host_is_no_capacity(void)
{
    g_autoptr(GError) error = NULL;
    gsize index = 0;

    g_assert_false(place_choose(NULL, 0, &size, &index, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_NO_CAPACITY);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/quota/is-held-to-the-unit", test_quota_is_held_to_the_unit);
    g_test_add_func("/quota/lowered-admits-nothing",
                    test_quota_that_was_lowered_admits_nothing);
    g_test_add_func("/quota/sums-do-not-wrap", test_sums_do_not_wrap);
    g_test_add_func("/place/most-memory-left",
                    test_the_host_with_most_memory_left_is_chosen);
    g_test_add_func("/place/room-is-held-to-the-unit", test_room_is_held_to_the_unit);
    g_test_add_func("/place/every-host-says-why-not", test_every_host_says_why_not);
    g_test_add_func("/place/no-host-is-no-capacity", test_no_host_is_no_capacity);
    return g_test_run();
}
