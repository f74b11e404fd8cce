/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/seed.h"

#include <archive.h>
#include <archive_entry.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "fuzz.h"

/*
 * Whatever the strings of a seed are, its image has our three files, user-data is as it
 * was given, and meta-data and network-config are JSON that give the other strings back.
 */

enum {
    KEYS_MAX = 4
};

typedef struct archive Archive;

typedef struct {
    char *meta_data;
    char *network_config;
    char *user_data;
} Files;

static void
take_file(Files *files, const char *name, char *text)
{
    char **file = NULL;

    if (strcmp(name, "meta-data") == 0)
        file = &files->meta_data;
    if (strcmp(name, "network-config") == 0)
        file = &files->network_config;
    if (strcmp(name, "user-data") == 0)
        file = &files->user_data;
    g_assert_true(file != NULL && *file == NULL);
    *file = text;
}

static void
read_image(GBytes *image, Files *files)
{
    Archive *archive = archive_read_new();
    struct archive_entry *entry = NULL;
    gsize length = 0;
    const void *data = g_bytes_get_data(image, &length);

    archive_read_support_format_iso9660(archive);
    g_assert_cmpint(archive_read_open_memory(archive, data, length), ==, ARCHIVE_OK);
    while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
        gsize size = (gsize) archive_entry_size(entry);
        char *text = NULL;

        if (archive_entry_filetype(entry) == AE_IFDIR)
            continue;
        text = g_malloc0(size + 1);
        g_assert_cmpint(archive_read_data(archive, text, size), ==, (la_ssize_t) size);
        take_file(files, archive_entry_pathname(entry), text);
    }
    archive_read_free(archive);
}

static JsonNode *
parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    JsonNode *node = json_from_string(text, &error);

    g_assert_no_error(error);
    g_assert_true(JSON_NODE_HOLDS_OBJECT(node));
    return node;
}

static void
check_meta_data(const char *text, const ProtoWorkerCreateSeedCall *in)
{
    g_autoptr(JsonNode) node = parse(text);
    JsonObject *object = json_node_get_object(node);
    JsonArray *keys = json_object_get_array_member(object, "public-keys");

    g_assert_cmpuint(json_object_get_size(object), ==, 3);
    g_assert_cmpstr(json_object_get_string_member(object, "instance-id"), ==, in->id);
    g_assert_cmpstr(json_object_get_string_member(object, "local-hostname"), ==,
                    in->hostname);
    g_assert_cmpuint(json_array_get_length(keys), ==, g_strv_length(in->ssh_keys));
    for (guint i = 0; in->ssh_keys[i] != NULL; i++)
        g_assert_cmpstr(json_array_get_string_element(keys, i), ==, in->ssh_keys[i]);
}

static void
check_network_config(const char *text, const ProtoWorkerCreateSeedCall *in)
{
    g_autoptr(JsonNode) node = parse(text);
    g_autoptr(JsonNode) found =
        json_path_query("$.ethernets.primary.match.macaddress", node, NULL);
    JsonArray *all = json_node_get_array(found);

    g_assert_cmpuint(json_object_get_size(json_node_get_object(node)), ==, 2);
    g_assert_cmpuint(json_array_get_length(all), ==, 1);
    g_assert_cmpstr(json_array_get_string_element(all, 0), ==, in->mac);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzBytes bytes = { data, size };
    char *keys[KEYS_MAX + 1] = { NULL };
    guint n_keys = fuzz_take_byte(&bytes) % (KEYS_MAX + 1);
    g_autofree char *id = fuzz_take_utf8(&bytes);
    g_autofree char *hostname = fuzz_take_utf8(&bytes);
    g_autofree char *mac = fuzz_take_utf8(&bytes);
    g_autofree char *user_data = NULL;
    g_autoptr(GBytes) image = NULL;
    ProtoWorkerCreateSeedCall in = { id, hostname, mac, keys, NULL };
    Files files = { 0 };

    for (guint i = 0; i < n_keys; i++)
        keys[i] = fuzz_take_utf8(&bytes);
    user_data = fuzz_take_utf8(&bytes);
    in.user_data = user_data;
    image = seed_make(&in, NULL);
    g_assert_nonnull(image);
    read_image(image, &files);
    g_assert_cmpstr(files.user_data, ==, user_data);
    check_meta_data(files.meta_data, &in);
    check_network_config(files.network_config, &in);
    g_free(files.meta_data);
    g_free(files.network_config);
    g_free(files.user_data);
    for (guint i = 0; i < n_keys; i++)
        g_free(keys[i]);
    return 0;
}
