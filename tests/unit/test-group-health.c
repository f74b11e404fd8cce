/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "group/health.h"
#include "host/health.h"

static void
test_probes_are_taken_apart(void)
{
    static const struct {
        const char *text;
        HealthProbe probe;
        gint64 port;
        const char *path;
    } good[] = {
        { "agent", HEALTH_PROBE_AGENT, 0, "/" },
        { "tcp:22", HEALTH_PROBE_TCP, 22, "/" },
        { "tcp:65535", HEALTH_PROBE_TCP, 65535, "/" },
        { "http:80", HEALTH_PROBE_HTTP, 80, "/" },
        { "http:8080/up?a=b", HEALTH_PROBE_HTTP, 8080, "/up?a=b" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        GroupProbe probe = { 0 };

        g_assert_true(group_probe_parse(good[i].text, "p.h", &probe, NULL));
        g_assert_cmpint(probe.probe, ==, good[i].probe);
        g_assert_cmpint(probe.port, ==, good[i].port);
        g_assert_cmpstr(probe.path, ==, good[i].path);
    }
}

static void
test_other_texts_are_no_probes(void)
{
    static const char *const bad[] = {
        "",
        "Agent",
        "tcp",
        "tcp:",
        "tcp:0",
        "tcp:x",
        "tcp:65536",
        "tcp: 22",
        "tcp:+22",
        "tcp:22/",
        "tcp:-1",
        "http:",
        "http:80x",
        "http:80/a b",
        "http:80/\r\nHost: x",
        "http:80/\xc3\xa9",
        "udp:53",
        "tcp:99999999999999999999",
        "agent ",
        "http:/",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        GroupProbe probe = { 0 };

        g_assert_false(group_probe_parse(bad[i], "parameters.health", &probe, &error));
        g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
    }
}

static void
test_a_new_one_is_well_at_its_first_good_answer(void)
{
    GroupHealth *health = g_new0(GroupHealth, 1);

    for (int i = 0; i < 5; i++) {
        group_health_take(health, false, "no", i);
        g_assert_false(health->is_well);
    }
    g_assert_cmpstr(health->reason, ==, "no");
    group_health_take(health, true, NULL, 7);
    g_assert_true(health->is_well);
    g_assert_cmpint(health->since_ms, ==, 7);
    g_assert_null(health->reason);
    group_health_free(health);
}

static void
test_it_takes_several_answers_to_change(void)
{
    GroupHealth *health = g_new0(GroupHealth, 1);
    const bool answers[] = { true,  false, false, true, false, false,
                             false, true,  false, true, true };
    const bool well[] = { true,  true,  true,  true,  true, true,
                          false, false, false, false, true };

    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        group_health_take(health, answers[i], NULL, (gint64) i);
        g_assert_cmpint(health->is_well, ==, well[i]);
    }
    group_health_free(health);
}

/* Clocks of 1 January 2026. */

static gint64
get_wall_ms(void)
{
    return 1767225600000;
}

static gint64
get_boot_ms(void)
{
    return 0;
}

static const char *
get_boot_id(void)
{
    return "";
}

static GroupPhase
get_phase_of_a_bad_one(const char *changed_at)
{
    Group group = { .record.view = { .health = (char *) (gsize) "agent",
                                     .health_grace_ms = 60000 },
                    .health = g_hash_table_new(g_str_hash, g_str_equal) };
    Instance instance = { .record.view = { .id = (char *) (gsize) "web-1",
                                           .changed_at = (char *) (gsize) changed_at } };
    GroupHealth bad = { .n_bad = 3 };
    GroupPhase phase = GROUP_PHASE_N;

    g_hash_table_insert(group.health, instance.record.view.id, &bad);
    phase = group_health_get_phase(&group, &instance);
    g_hash_table_unref(group.health);
    return phase;
}

static void
test_a_new_one_has_its_time_to_become_well(void)
{
    const ClockSource source = { get_wall_ms, get_boot_ms, get_boot_id };

    clock_set_source(&source);
    g_assert_cmpint(get_phase_of_a_bad_one("2025-12-31T23:59:30Z"), ==,
                    GROUP_PHASE_COMING);
    g_assert_cmpint(get_phase_of_a_bad_one("2025-12-31T23:59:00Z"), ==, GROUP_PHASE_SICK);
    /* Since then the clock was put back. */
    g_assert_cmpint(get_phase_of_a_bad_one("2026-01-02T00:00:00Z"), ==, GROUP_PHASE_SICK);
    clock_set_source(NULL);
}

static void
test_the_status_of_an_answer_is_read(void)
{
    g_assert_cmpint(health_read_status("HTTP/1.1 200 OK\r\n"), ==, 200);
    g_assert_cmpint(health_read_status("HTTP/1.0 503 Busy"), ==, 503);
    g_assert_cmpint(health_read_status("HTTP/1.1 404\r\n"), ==, 404);
    g_assert_cmpint(health_read_status(""), ==, -1);
    g_assert_cmpint(health_read_status("HTTP/1."), ==, -1);
    g_assert_cmpint(health_read_status("HTTP/1.1 "), ==, -1);
    g_assert_cmpint(health_read_status("HTTP/1.1 20"), ==, -1);
    g_assert_cmpint(health_read_status("HTTP/1.1 2000"), ==, -1);
    g_assert_cmpint(health_read_status("HTTP/2 200"), ==, -1);
    g_assert_cmpint(health_read_status("SSH-2.0-OpenSSH_9.2"), ==, -1);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/health/probes", test_probes_are_taken_apart);
    g_test_add_func("/health/no-probes", test_other_texts_are_no_probes);
    g_test_add_func("/health/first-good-answer",
                    test_a_new_one_is_well_at_its_first_good_answer);
    g_test_add_func("/health/several-answers", test_it_takes_several_answers_to_change);
    g_test_add_func("/health/grace", test_a_new_one_has_its_time_to_become_well);
    g_test_add_func("/health/status", test_the_status_of_an_answer_is_read);
    return g_test_run();
}
