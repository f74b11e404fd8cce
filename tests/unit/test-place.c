/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "place/place.h"

static const ProtoSize size = { .vcpus = 2, .memory_bytes = 100, .disk_bytes = 1000 };

/* Quota */

static void
test_quota_is_held_to_the_unit(void)
{
    const Quota limit = { { 2, 4, 200, 2000 } };

    for (int resource = 0; resource < QUOTA_SIZES; resource++) {
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

enum {
    ROUNDS = 2000,
    HOSTS_MAX = 8,
    PLACED = 12
};

static const PlaceRequest plain = { .size = { 2, 100, 1000 } };

static char rack[] = "rack";
static char zone[] = "zone";
static char a[] = "a";
static char b[] = "b";
static char *rack_a[] = { rack, a, NULL };
static char *rack_b[] = { rack, b, NULL };
static char *zone_a[] = { zone, a, NULL };

static PlaceHost
make_host(const char *name, gint64 memory_used)
{
    return (PlaceHost){
        .name = name,
        .pool = "private",
        .capacity = { { 99, 99, 1000, 99000 } },
        .used = { { [QUOTA_MEMORY_BYTES] = memory_used } },
    };
}

static void
assert_chosen(const PlaceHost *hosts,
              gsize n_hosts,
              const PlaceRequest *request,
              const char *name)
{
    g_autoptr(GError) error = NULL;
    gsize index = 0;

    place_choose(hosts, n_hosts, request, &index, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(hosts[index].name, ==, name);
}

/* Of a single host: refused, and why. */
static void
assert_refused(const PlaceHost *host, const PlaceRequest *request, const char *reason)
{
    g_autoptr(GError) error = NULL;
    const ProtoErrorNoCapacity *said = NULL;
    gsize index = 7;

    g_assert_false(place_choose(host, 1, request, &index, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_NO_CAPACITY);
    g_assert_cmpuint(index, ==, 7);
    said = wire_error_get_parameters(error);
    g_assert_cmpuint(said->n_refusals, ==, 1);
    g_assert_cmpstr(said->refusals[0].host, ==, host->name);
    g_assert_cmpstr(said->refusals[0].reason, ==, reason);
}

static void
test_spread_takes_the_least_loaded(void)
{
    PlaceHost hosts[] = {
        make_host("full", 950),
        make_host("some", 500),
        make_host("least", 100),
        make_host("away", 0),
    };

    hosts[3].refusal = "it cannot be reached";
    assert_chosen(hosts, G_N_ELEMENTS(hosts), &plain, "least");
    /* A small host with little on it is fuller than a large one with more. */
    hosts[2].capacity.amount[QUOTA_MEMORY_BYTES] = 250;
    assert_chosen(hosts, G_N_ELEMENTS(hosts), &plain, "some");
    /* The scarcest thing decides. */
    hosts[1].used.amount[QUOTA_VCPUS] = 90;
    assert_chosen(hosts, G_N_ELEMENTS(hosts), &plain, "least");
}

static void
test_pack_takes_the_most_loaded_with_room(void)
{
    const PlaceHost hosts[] = {
        make_host("full", 950),
        make_host("some", 500),
        make_host("least", 100),
    };
    const PlaceRequest request = { .size = size, .strategy = PLACE_PACK };

    assert_chosen(hosts, G_N_ELEMENTS(hosts), &request, "some");
}

static void
test_of_equals_the_first_name_is_taken(void)
{
    const PlaceHost hosts[] = { make_host("c", 5), make_host("a", 5), make_host("b", 5) };

    assert_chosen(hosts, G_N_ELEMENTS(hosts), &plain, "a");
}

static void
test_room_is_held_to_the_unit(void)
{
    PlaceHost host = { .name = "a", .capacity = { { 1, 2, 100, 1000 } } };

    for (int resource = 0; resource < QUOTA_SIZES; resource++) {
        gsize index = 7;

        g_assert_true(place_choose(&host, 1, &plain, &index, NULL));
        g_assert_cmpuint(index, ==, 0);
        host.used.amount[resource] = 1;
        index = 7;
        g_assert_false(place_choose(&host, 1, &plain, &index, NULL));
        g_assert_cmpuint(index, ==, 7);
        host.used.amount[resource] = 0;
    }
}

static void
test_pool_labels_and_architecture_are_held(void)
{
    PlaceHost host = make_host("a", 0);

    host.labels = rack_a;
    host.arch = "x86_64";
    assert_refused(&host, &(PlaceRequest){ .size = size, .pool = "burst" },
                   "it is in the pool private");
    assert_refused(&host, &(PlaceRequest){ .size = size, .labels = rack_b },
                   "its label rack is a");
    assert_refused(&host, &(PlaceRequest){ .size = size, .labels = zone_a },
                   "it has no label zone");
    assert_refused(&host, &(PlaceRequest){ .size = size, .arch = "aarch64" },
                   "it is x86_64, and the template is for aarch64");
    assert_chosen(
        &host, 1,
        &(PlaceRequest){
            .size = size, .pool = "private", .labels = rack_a, .arch = "x86_64" },
        "a");
    /* A host that has not told yet takes all. */
    host.arch = NULL;
    assert_chosen(&host, 1, &(PlaceRequest){ .size = size, .arch = "aarch64" }, "a");
}

static void
test_apart_is_kept_by_host(void)
{
    PlaceHost hosts[] = { make_host("a", 0), make_host("b", 500) };
    const PlaceRequest strict = { .size = size, .is_strictly_apart = true };

    hosts[0].n_near = 1;
    assert_chosen(hosts, G_N_ELEMENTS(hosts), &strict, "b");
    assert_refused(&hosts[0], &strict, "what it is kept apart from is there");
    /* If it need not be: as far as may be. */
    assert_chosen(hosts, G_N_ELEMENTS(hosts), &plain, "b");
    hosts[1].n_near = 2;
    assert_chosen(hosts, G_N_ELEMENTS(hosts), &plain, "a");
}

static void
test_those_who_want_to_be_apart_are_left_alone(void)
{
    PlaceHost hosts[] = { make_host("a", 0), make_host("b", 500) };

    hosts[0].is_denied = true;
    assert_chosen(hosts, G_N_ELEMENTS(hosts), &plain, "b");
    assert_refused(&hosts[0], &plain, "an instance there is kept apart from it");
}

static void
test_apart_is_kept_by_label(void)
{
    PlaceHost hosts[] = { make_host("a", 0), make_host("b", 0), make_host("c", 500) };
    PlaceRequest request = { .size = size, .apart_by = "rack" };

    hosts[0].labels = hosts[1].labels = rack_a;
    hosts[2].labels = rack_b;
    hosts[0].n_near = 1;
    assert_chosen(hosts, G_N_ELEMENTS(hosts), &request, "c");
    request.is_strictly_apart = true;
    assert_chosen(hosts, G_N_ELEMENTS(hosts), &request, "c");
    assert_refused(&hosts[0], &request, "what it is kept apart from is in rack a");
    /* Within the place with the fewest, the host with the fewest. */
    hosts[2].n_near = 2;
    request.is_strictly_apart = false;
    assert_chosen(hosts, G_N_ELEMENTS(hosts), &request, "b");
    hosts[2].labels = NULL;
    request.is_strictly_apart = true;
    assert_refused(&hosts[2], &request, "it has no label rack to be kept apart by");
}

static void
test_every_host_says_why_not(void)
{
    PlaceHost hosts[] = { make_host("small", 950), make_host("away", 0) };
    g_autoptr(GError) error = NULL;
    gsize index = 0;

    hosts[1].refusal = "it is drained";
    g_assert_false(place_choose(hosts, G_N_ELEMENTS(hosts), &plain, &index, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_NO_CAPACITY);
    const ProtoErrorNoCapacity *said = wire_error_get_parameters(error);

    g_assert_cmpuint(said->n_refusals, ==, 2);
    g_assert_cmpstr(said->refusals[0].host, ==, "away");
    g_assert_cmpstr(said->refusals[0].reason, ==, "it is drained");
    g_assert_cmpstr(said->refusals[1].reason, ==, "memory_bytes: 100 asked, 50 left");
    g_assert_cmpstr(error->message, ==, "None of 2 hosts can take it");
}

static void
test_no_host_is_no_capacity(void)
{
    g_autoptr(GError) error = NULL;
    gsize index = 0;

    g_assert_false(place_choose(NULL, 0, &plain, &index, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_NO_CAPACITY);
}

/* Properties */

static PlaceHost
make_random_host(const char *name)
{
    char **const labels[] = { NULL, rack_a, rack_b };
    static const char *const pools[] = { "private", "burst" };
    PlaceHost host = {
        .name = name,
        .refusal = g_test_rand_int_range(0, 6) == 0 ? "no" : NULL,
        .pool = pools[g_test_rand_int_range(0, 2)],
        .labels = labels[g_test_rand_int_range(0, G_N_ELEMENTS(labels))],
        .capacity = { { [QUOTA_INSTANCES] = G_MAXINT64 } },
        .n_near = g_test_rand_int_range(0, 3),
    };

    for (int i = QUOTA_VCPUS; i < QUOTA_SIZES; i++) {
        host.capacity.amount[i] = g_test_rand_int_range(0, 20);
        host.used.amount[i] = g_test_rand_int_range(0, 10);
    }
    return host;
}

static PlaceRequest
make_random_request(void)
{
    char **const labels[] = { NULL, NULL, rack_a };

    return (PlaceRequest){
        .size = { g_test_rand_int_range(1, 5), g_test_rand_int_range(1, 5),
                  g_test_rand_int_range(1, 5) },
        .pool = g_test_rand_int_range(0, 3) == 0 ? "burst" : NULL,
        .labels = labels[g_test_rand_int_range(0, G_N_ELEMENTS(labels))],
        .strategy = g_test_rand_bit() ? PLACE_PACK : PLACE_SPREAD,
        .apart_by = g_test_rand_bit() ? "rack" : NULL,
        .is_strictly_apart = g_test_rand_int_range(0, 4) == 0,
    };
}

static gsize
make_random_hosts(PlaceHost *hosts)
{
    static const char *const names[HOSTS_MAX] = {
        "a", "b", "c", "d", "e", "f", "g", "h"
    };
    gsize n_hosts = (gsize) g_test_rand_int_range(1, HOSTS_MAX + 1);

    for (gsize i = 0; i < n_hosts; i++) {
        hosts[i] = make_random_host(names[i]);
    }
    return n_hosts;
}

static void
test_capacity_is_never_exceeded(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        PlaceHost hosts[HOSTS_MAX];
        gsize n_hosts = make_random_hosts(hosts);

        for (int i = 0; i < PLACED; i++) {
            const PlaceRequest request = make_random_request();
            gsize index = HOSTS_MAX;

            if (!place_choose(hosts, n_hosts, &request, &index, NULL))
                continue;
            g_assert_cmpuint(index, <, n_hosts);
            quota_add(&hosts[index].used, &request.size, 1);
            g_assert_null(hosts[index].refusal);
            g_assert_true(request.pool == NULL ||
                          g_str_equal(request.pool, hosts[index].pool));
            g_assert_true(place_has_labels(hosts[index].labels, request.labels));
            g_assert_true(!request.is_strictly_apart || hosts[index].n_near == 0);
            for (int j = QUOTA_VCPUS; j < QUOTA_SIZES; j++) {
                g_assert_cmpint(hosts[index].used.amount[j], <=,
                                hosts[index].capacity.amount[j]);
            }
        }
    }
}

static void
shuffle(PlaceHost *hosts, gsize n_hosts)
{
    for (gsize i = n_hosts - 1; i > 0; i--) {
        gsize j = (gsize) g_test_rand_int_range(0, (gint32) i + 1);
        PlaceHost other = hosts[i];

        hosts[i] = hosts[j];
        hosts[j] = other;
    }
}

static char *
tell(const PlaceHost *hosts, gsize n_hosts, const PlaceRequest *request)
{
    g_autoptr(GError) error = NULL;
    gsize index = 0;

    if (place_choose(hosts, n_hosts, request, &index, &error))
        return g_strdup(hosts[index].name);
    g_assert_cmpuint(
        ((const ProtoErrorNoCapacity *) wire_error_get_parameters(error))->n_refusals, ==,
        n_hosts);
    return g_strdup(error->message);
}

static void
test_the_order_of_hosts_does_not_matter(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        PlaceHost hosts[HOSTS_MAX];
        gsize n_hosts = make_random_hosts(hosts);
        const PlaceRequest request = make_random_request();
        g_autofree char *first = tell(hosts, n_hosts, &request);
        g_autofree char *second = NULL;

        shuffle(hosts, n_hosts);
        second = tell(hosts, n_hosts, &request);
        g_assert_cmpstr(first, ==, second);
    }
}

/* If any host passes on its own, one is chosen. */
static void
test_a_host_that_can_take_it_is_found(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        PlaceHost hosts[HOSTS_MAX];
        gsize n_hosts = make_random_hosts(hosts);
        PlaceRequest request = make_random_request();
        bool any = false;
        gsize index = 0;

        request.apart_by = NULL;
        for (gsize i = 0; i < n_hosts; i++) {
            any |= place_choose(&hosts[i], 1, &request, &index, NULL);
        }
        g_assert_true(place_choose(hosts, n_hosts, &request, &index, NULL) == any);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/quota/is-held-to-the-unit", test_quota_is_held_to_the_unit);
    g_test_add_func("/quota/lowered-admits-nothing",
                    test_quota_that_was_lowered_admits_nothing);
    g_test_add_func("/quota/sums-do-not-wrap", test_sums_do_not_wrap);
    g_test_add_func("/place/spread-takes-the-least-loaded",
                    test_spread_takes_the_least_loaded);
    g_test_add_func("/place/pack-takes-the-most-loaded",
                    test_pack_takes_the_most_loaded_with_room);
    g_test_add_func("/place/of-equals-the-first-name",
                    test_of_equals_the_first_name_is_taken);
    g_test_add_func("/place/room-is-held-to-the-unit", test_room_is_held_to_the_unit);
    g_test_add_func("/place/pool-labels-architecture",
                    test_pool_labels_and_architecture_are_held);
    g_test_add_func("/place/apart-by-host", test_apart_is_kept_by_host);
    g_test_add_func("/place/leaves-alone-who-is-apart",
                    test_those_who_want_to_be_apart_are_left_alone);
    g_test_add_func("/place/apart-by-label", test_apart_is_kept_by_label);
    g_test_add_func("/place/never-above-capacity", test_capacity_is_never_exceeded);
    g_test_add_func("/place/order-does-not-matter",
                    test_the_order_of_hosts_does_not_matter);
    g_test_add_func("/place/finds-one-that-can", test_a_host_that_can_take_it_is_found);
    g_test_add_func("/place/every-host-says-why-not", test_every_host_says_why_not);
    g_test_add_func("/place/no-host-is-no-capacity", test_no_host_is_no_capacity);
    return g_test_run();
}
