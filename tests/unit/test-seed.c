/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <archive.h>
#include <archive_entry.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "host/seed.h"

typedef struct archive Archive;

static const char hostile[] =
    "#!/bin/sh\n\"}],\\ \xe2\x80\xae\xf0\x9f\x92\xa9\r\n\t: &a *a ---\n...";

static char *
read_file(GBytes *image, const char *name)
{
    Archive *archive = archive_read_new();
    struct archive_entry *entry = NULL;
    gsize length = 0;
    const void *data = g_bytes_get_data(image, &length);
    char *text = NULL;

    archive_read_support_format_iso9660(archive);
    g_assert_cmpint(archive_read_open_memory(archive, data, length), ==, ARCHIVE_OK);
    while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        gsize size = (gsize) archive_entry_size(entry);

        if (strcmp(archive_entry_pathname(entry), name) != 0)
            continue;
        text = g_malloc0(size + 1);
        g_assert_cmpint(archive_read_data(archive, text, size), ==, (la_ssize_t) size);
    }
    archive_read_free(archive);
    return text;
}

static ProtoWorkerCreateSeedCall
make_call(const char **keys)
{
    return (ProtoWorkerCreateSeedCall){
        .id = (char *) (gsize) "8a1c0f0e-3a55-4f0e-9a51-0c8d1b6d7f11",
        .hostname = (char *) (gsize) "web",
        .mac = (char *) (gsize) "02:8a:1c:0f:0e:3a",
        .ssh_keys = (char **) (gsize) keys,
        .user_data = (char *) (gsize) hostile,
    };
}

static void
test_the_label_is_cidata(void)
{
    const char *keys[] = { NULL };
    ProtoWorkerCreateSeedCall call = make_call(keys);
    g_autoptr(GBytes) image = seed_make(&call, NULL);
    gsize length = 0;
    const char *data = g_bytes_get_data(image, &length);

    /* ECMA-119 8.4: the primary volume descriptor is sector 16, its identifier at 40. */
    g_assert_cmpuint(length, >, 17 * 2048);
    g_assert_cmpint(g_ascii_strncasecmp(data + 16 * 2048 + 1, "CD001", 5), ==, 0);
    g_assert_cmpint(g_ascii_strncasecmp(data + 16 * 2048 + 40, "cidata ", 7), ==, 0);
}

static void
test_user_data_is_untouched(void)
{
    const char *keys[] = { NULL };
    ProtoWorkerCreateSeedCall call = make_call(keys);
    g_autoptr(GBytes) image = seed_make(&call, NULL);
    g_autofree char *text = read_file(image, "user-data");

    g_assert_cmpstr(text, ==, hostile);
}

static void
test_without_user_data_there_is_an_empty_one(void)
{
    const char *keys[] = { NULL };
    ProtoWorkerCreateSeedCall call = make_call(keys);

    call.user_data = NULL;
    g_autoptr(GBytes) image = seed_make(&call, NULL);
    g_autofree char *text = read_file(image, "user-data");

    g_assert_cmpstr(text, ==, "#cloud-config\n{}\n");
}

/* A key that looks like YAML or JSON is still one string. */
static void
test_meta_data_holds_what_was_given(void)
{
    const char *keys[] = { "ssh-ed25519 AAAA me", hostile, NULL };
    ProtoWorkerCreateSeedCall call = make_call(keys);
    g_autoptr(GBytes) image = seed_make(&call, NULL);
    g_autofree char *text = read_file(image, "meta-data");
    g_autoptr(JsonNode) node = json_from_string(text, NULL);

    g_assert_nonnull(node);
    JsonObject *object = json_node_get_object(node);
    JsonArray *list = json_object_get_array_member(object, "public-keys");

    g_assert_cmpstr(json_object_get_string_member(object, "instance-id"), ==, call.id);
    g_assert_cmpstr(json_object_get_string_member(object, "local-hostname"), ==, "web");
    g_assert_cmpuint(json_array_get_length(list), ==, 2);
    g_assert_cmpstr(json_array_get_string_element(list, 1), ==, hostile);
}

static void
test_network_config_matches_the_mac(void)
{
    const char *keys[] = { NULL };
    ProtoWorkerCreateSeedCall call = make_call(keys);
    g_autoptr(GBytes) image = seed_make(&call, NULL);
    g_autofree char *text = read_file(image, "network-config");

    g_assert_nonnull(strstr(text, "\"02:8a:1c:0f:0e:3a\""));
    g_assert_nonnull(strstr(text, "\"dhcp4\""));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/seed/the-label-is-cidata", test_the_label_is_cidata);
    g_test_add_func("/seed/user-data-is-untouched", test_user_data_is_untouched);
    g_test_add_func("/seed/without-user-data-there-is-an-empty-one",
                    test_without_user_data_there_is_an_empty_one);
    g_test_add_func("/seed/meta-data-holds-what-was-given",
                    test_meta_data_holds_what_was_given);
    g_test_add_func("/seed/network-config-matches-the-mac",
                    test_network_config_matches_the_mac);
    return g_test_run();
}
