/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>

#include "base/config.h"

static bool
read_text(Config *config, const char *text, GError **error)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("config-XXXXXX", &path, NULL);
    bool good = false;

    g_assert_cmpint(fd, >=, 0);
    g_close(fd, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    good = config_read(config, path, error);
    if (!good && error != NULL)
        g_assert_nonnull(strstr((*error)->message, path));
    g_unlink(path);
    return good;
}

static void
test_an_empty_file_is_good(void)
{
    g_autoptr(Config) config = config_new(false);

    g_assert_true(read_text(config, "", NULL));
    g_assert_cmpstr(config->host.uri, ==, "qemu:///system");
    g_assert_cmpstr(config->host.accel, ==, "auto");
    g_assert_cmpint(config->headroom_memory, ==, G_GINT64_CONSTANT(8) << 30);
}

static void
test_values_are_read(void)
{
    g_autoptr(Config) config = config_new(false);
    g_autoptr(GError) error = NULL;

    read_text(config,
              "[host]\nname=a\ncpu_percent=250\n[quota]\nmemory=512M\ninstances=0\n",
              &error);
    g_assert_no_error(error);
    g_assert_cmpstr(config->host.name, ==, "a");
    g_assert_cmpint(config->host.cpu_percent, ==, 250);
    g_assert_cmpint(config->quota_memory, ==, 512 << 20);
    g_assert_cmpint(config->quota_instances, ==, 0);
}

static void
test_a_users_own_lies_in_its_folders(void)
{
    g_autoptr(Config) config = config_new(true);

    g_assert_cmpstr(config->host.uri, ==, "qemu:///session");
    g_assert_true(g_str_has_suffix(config->run_dir, "/vmd"));
    g_assert_true(g_path_is_absolute(config->run_dir));
    g_assert_true(g_path_is_absolute(config->state_dir));
}

static void
test_faults_are_named(void)
{
    const struct {
        const char *text;
        const char *said;
    } rows[] = {
        { "[host]\ncolour=red\n", "[host] colour: there is no such key" },
        { "[colours]\nhost=red\n", "[colours] host: there is no such key" },
        { "[host]\nconnections=7\n", "[host] connections: \"7\"" },
        { "[host]\nconnections=65\n", "[host] connections: \"65\"" },
        { "[host]\nconnections=ten\n", "[host] connections: \"ten\"" },
        { "[host]\nconnections=\n", "[host] connections: \"\"" },
        { "[quota]\nmemory=512\n", "[quota] memory: \"512\" is not a size" },
        { "[quota]\nmemory=-1G\n", "[quota] memory: \"-1G\"" },
        { "[quota]\nmemory=0G\n", "[quota] memory: \"0G\"" },
        { "[quota]\nmemory=1GB\n", "[quota] memory: \"1GB\"" },
        { "[quota]\nmemory=99999999999T\n", "[quota] memory: " },
        { "[host]\nlabels=rack\n", "[host] labels: \"rack\" is not labels" },
        { "[host]\nlabels==a\n", "[host] labels: \"=a\"" },
        { "[host b]\nconnections=7\n", "[host b] connections: \"7\"" },
        { "[host b]\ncolour=red\n", "[host b] colour: there is no such key" },
        { "[host b]\nname=c\n", "[host b] name: there is no such key" },
        { "[host B/c]\nuri=x\n", "[host B/c]: \"B/c\" is not a name" },
        { "[host ]\nuri=x\n", "[host ]: \"\" is not a name" },
        { "[placement]\nstrategy=best\n",
          "[placement] strategy: \"best\" is not one of spread|pack" },
        { "[quota b]\nmemory=1G\n", "[quota b] memory: there is no such key" },
        { "instances=1\n", "" },
        { "[quota\n", "" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Config) config = config_new(false);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", rows[i].text);
        g_assert_false(read_text(config, rows[i].text, &error));
        g_assert_nonnull(strstr(error->message, rows[i].said));
    }
}

static void
test_one_value_is_set(void)
{
    g_autoptr(Config) config = config_new(false);
    g_autoptr(GError) error = NULL;

    g_assert_true(config_set(config, "host.worker=unix:/a=b", &error));
    g_assert_true(config_set(config, "daemon.meter=", &error));
    g_assert_true(config_set(config, "quota.memory=3G", &error));
    g_assert_no_error(error);
    g_assert_cmpstr(config->host.worker, ==, "unix:/a=b");
    g_assert_cmpstr(config->meter, ==, "");
    g_assert_cmpint(config->quota_memory, ==, G_GINT64_CONSTANT(3) << 30);
}

static void
test_a_setting_that_is_none_is_named(void)
{
    static const char *const texts[] = {
        "",           "host",          "host.worker",  "worker=x",
        "host.none=", "host b.name=c", "host B.uri=x", "quota.memory=much",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(Config) config = config_new(false);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", texts[i]);
        g_assert_false(config_set(config, texts[i], &error));
        g_assert_nonnull(error);
    }
}

static const HostConfig *
get_host(const GPtrArray *hosts, guint index)
{
    g_assert_cmpuint(index, <, hosts->len);
    return hosts->pdata[index];
}

static void
test_without_groups_there_is_one_host(void)
{
    g_autoptr(Config) config = config_new(false);
    g_autoptr(GPtrArray) hosts = NULL;

    g_assert_true(read_text(config, "[host]\nname=only\ncpu_percent=250\n", NULL));
    hosts = config_get_hosts(config, NULL);
    g_assert_cmpuint(hosts->len, ==, 1);
    g_assert_cmpstr(get_host(hosts, 0)->name, ==, "only");
    g_assert_cmpint(get_host(hosts, 0)->cpu_percent, ==, 250);
}

static void
test_hosts_have_what_they_have_in_common(void)
{
    static const char text[] = "[host b]\nuri=two\nlabels=rack=r2  zone=z\n"
                               "[host a]\nuri=one\ncpu_percent=300\n"
                               "[host]\ncpu_percent=200\nplacement_pool=burst\n";
    g_autoptr(Config) config = config_new(false);
    g_autoptr(GPtrArray) hosts = NULL;
    g_auto(GStrv) labels = NULL;

    g_assert_true(read_text(config, text, NULL));
    g_assert_true(config_set(config, "host b.reserve_memory=2G", NULL));
    g_assert_true(config_set(config, "host.memory_percent=90", NULL));
    hosts = config_get_hosts(config, NULL);
    g_assert_cmpuint(hosts->len, ==, 2);
    g_assert_cmpstr(get_host(hosts, 0)->name, ==, "a");
    g_assert_cmpstr(get_host(hosts, 0)->uri, ==, "one");
    g_assert_cmpint(get_host(hosts, 0)->cpu_percent, ==, 300);
    g_assert_cmpint(get_host(hosts, 0)->reserve_memory, ==, 0);
    g_assert_cmpstr(get_host(hosts, 1)->name, ==, "b");
    g_assert_cmpint(get_host(hosts, 1)->cpu_percent, ==, 200);
    g_assert_cmpint(get_host(hosts, 1)->memory_percent, ==, 90);
    g_assert_cmpint(get_host(hosts, 1)->reserve_memory, ==, G_GINT64_CONSTANT(2) << 30);
    g_assert_cmpstr(get_host(hosts, 1)->placement_pool, ==, "burst");
    labels = config_parse_labels(get_host(hosts, 1)->labels);
    g_assert_cmpuint(g_strv_length(labels), ==, 4);
    g_assert_cmpstr(labels[2], ==, "zone");
}

static void
test_a_host_is_found_by_its_name(void)
{
    g_autoptr(Config) config = config_new(false);
    g_autoptr(HostConfig) only = config_get_host(config, "anything", NULL);
    g_autoptr(HostConfig) found = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_cmpstr(only->name, ==, "local");
    g_assert_true(read_text(config, "[host b]\nuri=two\n[host c]\nuri=three\n", NULL));
    found = config_get_host(config, "c", NULL);
    g_assert_cmpstr(found->uri, ==, "three");
    g_assert_null(config_get_host(config, "d", &error));
    g_assert_nonnull(strstr(error->message, "[host d]"));
}

static void
test_two_hosts_are_not_one(void)
{
    const struct {
        const char *text;
        const char *said;
    } rows[] = {
        { "[host a]\n[host b]\nuri=x\n[host c]\nuri=x\n", "[host c] uri: " },
        { "[host a]\nuri=x\n[host b]\nuri=qemu:///system\n[host c]\n", "[host c] uri: " },
        { "[host]\nworker=unix:/w\n[host a]\nuri=x\n[host b]\nuri=y\n",
          "[host b] worker: " },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Config) config = config_new(false);
        g_autoptr(GError) error = NULL;

        g_assert_true(read_text(config, rows[i].text, NULL));
        g_assert_null(config_get_hosts(config, &error));
        g_assert_nonnull(strstr(error->message, rows[i].said));
    }
}

static void
test_a_missing_file_is_named(void)
{
    g_autoptr(Config) config = config_new(false);
    g_autoptr(GError) error = NULL;

    g_assert_false(config_read(config, "/nowhere/vmd.conf", &error));
    g_assert_nonnull(strstr(error->message, "/nowhere/vmd.conf"));
}

/* What the manual page is made from: four columns, and every default is one that is
 * taken. */
static void
test_the_description_is_whole(void)
{
    g_autofree char *text = config_describe();
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);

    for (gsize i = 0; lines[i] != NULL; i++) {
        g_auto(GStrv) parts = g_strsplit(lines[i], "\t", -1);
        g_autoptr(Config) config = config_new(false);
        g_autoptr(GError) error = NULL;

        g_assert_cmpuint(g_strv_length(parts), ==, 4);
        g_assert_cmpuint(strlen(parts[3]), >=, 10);
        g_autofree char *file =
            g_strdup_printf("[%s]\n%s=%s\n", parts[0], parts[1], parts[2]);

        read_text(config, file, &error);
        g_assert_no_error(error);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/config/an-empty-file-is-good", test_an_empty_file_is_good);
    g_test_add_func("/config/values-are-read", test_values_are_read);
    g_test_add_func("/config/a-users-own-lies-in-its-folders",
                    test_a_users_own_lies_in_its_folders);
    g_test_add_func("/config/faults-are-named", test_faults_are_named);
    g_test_add_func("/config/one-value-is-set", test_one_value_is_set);
    g_test_add_func("/config/a-setting-that-is-none-is-named",
                    test_a_setting_that_is_none_is_named);
    g_test_add_func("/config/without-groups-one-host",
                    test_without_groups_there_is_one_host);
    g_test_add_func("/config/hosts-have-things-in-common",
                    test_hosts_have_what_they_have_in_common);
    g_test_add_func("/config/a-host-is-found-by-its-name",
                    test_a_host_is_found_by_its_name);
    g_test_add_func("/config/two-hosts-are-not-one", test_two_hosts_are_not_one);
    g_test_add_func("/config/a-missing-file-is-named", test_a_missing_file_is_named);
    g_test_add_func("/config/the-description-is-whole", test_the_description_is_whole);
    return g_test_run();
}
