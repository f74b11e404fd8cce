/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "proto.h"

enum {
    BUFFER_BYTES = 4096,
    /** No option takes more than this. */
    FILE_BYTES = 1024 * 1024
};

static bool
refuse(GError **error, const char *path, const char *reason)
{
    proto_error_set_invalid_parameter(error, path, reason, "%s: %s", path, reason);
    return false;
}

static bool
read_fd(int fd, const char *path, gsize max_bytes, GString *text, GError **error)
{
    for (;;) {
        char buffer[BUFFER_BYTES];
        ssize_t count = read(fd, buffer, sizeof buffer);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return refuse(error, path, g_strerror(errno));
        if (count == 0)
            return true;
        g_string_append_len(text, buffer, count);
        if (text->len > max_bytes) {
            g_autofree char *reason =
                g_strdup_printf("is larger than %" G_GSIZE_FORMAT " bytes", max_bytes);

            return refuse(error, path, reason);
        }
    }
}

char *
input_read_file(const char *path, gsize max_bytes, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    bool is_standard = strcmp(path, "-") == 0;
    int fd = is_standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    bool done = false;

    if (fd < 0) {
        refuse(error, path, g_strerror(errno));
        return NULL;
    }
    done = read_fd(fd, path, max_bytes > 0 ? max_bytes : FILE_BYTES, text, error);
    if (!is_standard)
        close(fd);
    if (!done)
        return NULL;
    if (!g_utf8_validate_len(text->str, text->len, NULL)) {
        refuse(error, path, "is not text in UTF-8");
        return NULL;
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static bool
is_key(const char *text)
{
    static const char *const kinds[] = { "ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-" };

    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (g_str_has_prefix(text, kinds[i]) && strchr(text, ' ') != NULL)
            return true;
    }
    return false;
}

char **
input_read_keys(const char *text, GError **error)
{
    g_autoptr(GStrvBuilder) keys = g_strv_builder_new();
    g_autofree char *content = NULL;
    g_auto(GStrv) lines = NULL;
    gsize count = 0;

    if (is_key(text))
        return g_strsplit(text, "\n", 1);
    content = input_read_file(text, FILE_BYTES, error);
    if (content == NULL)
        return NULL;
    if (strstr(content, "PRIVATE KEY") != NULL) {
        refuse(error, text,
               "is a private key: give the public one, its name ends in .pub");
        return NULL;
    }
    lines = g_strsplit(content, "\n", -1);
    for (gsize i = 0; lines[i] != NULL; i++) {
        if (is_key(g_strstrip(lines[i]))) {
            g_strv_builder_add(keys, lines[i]);
            count++;
        }
    }
    if (count == 0) {
        refuse(error, text, "holds no OpenSSH public key");
        return NULL;
    }
    return g_strv_builder_end(keys);
}
