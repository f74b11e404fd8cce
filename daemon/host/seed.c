/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/seed.h"

#include <archive.h>
#include <archive_entry.h>
#include <json-glib/json-glib.h>
#include <string.h>

static const char no_user_data[] = "#cloud-config\n{}\n";

static char *
print(JsonBuilder *builder)
{
    g_autoptr(JsonNode) root = json_builder_get_root(builder);

    return json_to_string(root, TRUE);
}

char *
seed_print_meta_data(const ProtoWorkerCreateSeedCall *in)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "instance-id");
    json_builder_add_string_value(builder, in->id);
    json_builder_set_member_name(builder, "local-hostname");
    json_builder_add_string_value(builder, in->hostname);
    json_builder_set_member_name(builder, "public-keys");
    json_builder_begin_array(builder);
    for (gsize i = 0; in->ssh_keys != NULL && in->ssh_keys[i] != NULL; i++) {
        json_builder_add_string_value(builder, in->ssh_keys[i]);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
    return print(builder);
}

char *
seed_print_network_config(const ProtoWorkerCreateSeedCall *in)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "version");
    json_builder_add_int_value(builder, 2);
    json_builder_set_member_name(builder, "ethernets");
    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "primary");
    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "match");
    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "macaddress");
    json_builder_add_string_value(builder, in->mac);
    json_builder_end_object(builder);
    json_builder_set_member_name(builder, "dhcp4");
    json_builder_add_boolean_value(builder, TRUE);
    json_builder_end_object(builder);
    json_builder_end_object(builder);
    json_builder_end_object(builder);
    return print(builder);
}

typedef struct archive Archive;
typedef struct archive_entry Entry;

static ssize_t
append(Archive *archive, void *data, const void *buffer, size_t length)
{
    g_byte_array_append(data, buffer, (guint) length);
    return (ssize_t) length;
}

static bool
add_file(Archive *archive, const char *name, const char *text)
{
    Entry *entry = archive_entry_new();
    gsize length = strlen(text);
    bool good = false;

    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, (la_int64_t) length);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    good = archive_write_header(archive, entry) == ARCHIVE_OK &&
           archive_write_data(archive, text, length) == (la_ssize_t) length;
    archive_entry_free(entry);
    return good;
}

static bool
write_image(Archive *archive, const ProtoWorkerCreateSeedCall *in, GByteArray *image)
{
    g_autofree char *meta_data = seed_print_meta_data(in);
    g_autofree char *network_config = seed_print_network_config(in);

    return archive_write_set_format_iso9660(archive) == ARCHIVE_OK &&
           archive_write_set_options(archive, "volume-id=cidata,joliet,rockridge") ==
               ARCHIVE_OK &&
           archive_write_open(archive, image, NULL, append, NULL) == ARCHIVE_OK &&
           add_file(archive, "meta-data", meta_data) &&
           add_file(archive, "network-config", network_config) &&
           add_file(archive, "user-data",
                    in->user_data != NULL ? in->user_data : no_user_data) &&
           archive_write_close(archive) == ARCHIVE_OK;
}

GBytes *
seed_make(const ProtoWorkerCreateSeedCall *in, GError **error)
{
    g_autoptr(GByteArray) image = g_byte_array_new();
    Archive *archive = archive_write_new();
    bool good = write_image(archive, in, image);

    if (!good)
        proto_error_set_host_failed(error, "", "Writing the seed: %s",
                                    archive_error_string(archive));
    archive_write_free(archive);
    return good ? g_byte_array_free_to_bytes(g_steal_pointer(&image)) : NULL;
}
