/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/config.h"

#include <stddef.h>
#include <string.h>

#include "build-config.h"

typedef enum {
    CONFIG_TEXT,
    CONFIG_COUNT,
    /** Bytes, written with a suffix: 512M, 8G, 2T. */
    CONFIG_SIZE,
} ConfigKind;

typedef struct {
    const char *group;
    const char *key;
    ConfigKind kind;
    gsize offset;
    const char *value;
    /** The default of a user's own service; NULL: the same. */
    const char *session;
    gint64 minimum;
    gint64 maximum;
    const char *meaning;
} ConfigKey;

#define TEXT(group, key, member, value, session, meaning)                                \
    {                                                                                    \
        group, key, CONFIG_TEXT, offsetof(Config, member), value, session, 0, 0, meaning \
    }
#define COUNT(group, key, member, value, minimum, maximum, meaning)                      \
    {                                                                                    \
        group, key, CONFIG_COUNT, offsetof(Config, member), value, NULL, minimum,        \
            maximum, meaning                                                             \
    }
#define SIZE(group, key, member, value, meaning)                                         \
    {                                                                                    \
        group, key, CONFIG_SIZE, offsetof(Config, member), value, NULL, 1, G_MAXINT64,   \
            meaning                                                                      \
    }

/* clang-format off */
static const ConfigKey keys[] = {
    TEXT("daemon", "state_dir", state_dir, "/var/lib/vmd", "$XDG_STATE_HOME/vmd", "Where the database lies."),
    TEXT("daemon", "run_dir", run_dir, "/run/vmd", "$XDG_RUNTIME_DIR/vmd", "Where the sockets vmd.sock and meter.sock lie."),
    TEXT("daemon", "socket_group", socket_group, "", NULL, "The group that may connect, besides root; empty: everybody may, each as its own tenant."),
    TEXT("daemon", "admin_group", admin_group, "vmd-admin", NULL, "Members of this group are admins, as root is."),
    TEXT("daemon", "reader_group", reader_group, "vmd-reader", NULL, "Members of this group see what admins see, and change nothing: vmd-meter, where it is not started by vmd."),
    TEXT("daemon", "accountant_group", accountant_group, "vmd-meter", NULL, "Members of this group add entries of the books to the ledger: vmd-meter, where it is not started by vmd."),
    TEXT("daemon", "meter", meter, VMCTL_LIBEXECDIR "/vmd-meter", NULL, "The metering program that vmd starts; empty: none."),
    COUNT("daemon", "operations_kept", operations_kept, "2000", 10, 1000000, "How many ended operations are kept."),
    COUNT("daemon", "operations_side_by_side", operations_side_by_side, "20", 1, 10000, "How many operations are at work at a time; the others wait, and tenants take turns. More than the hosts have connections makes them wait there, without turns."),
    COUNT("daemon", "backup_seconds", backup_seconds, "3600", 1, 86400, "How often the database is copied into state_dir/backups, while in use."),
    COUNT("daemon", "backups_kept", backups_kept, "24", 0, 10000, "How many of these copies are kept; 0: none are made."),

    COUNT("metering", "tick_seconds", tick_seconds, "60", 1, 3600, "How often the counters of what runs are read."),
    TEXT("metering", "anchor", anchor, "/var/lib/vmd-anchor/ledger", "$XDG_STATE_HOME/vmd-anchor/ledger", "A file, away from state_dir, that keeps where the ledger stood, so that a database put back to an older copy is found out; empty: none."),
    COUNT("metering", "grace_hours", grace_hours, "48", 0, 744, "How long after its end a month may be closed, where vmd starts vmd-meter: late facts are in it."),
    TEXT("metering", "operator", operator_name, "vmctl", NULL, "Who provides what is billed and sends the invoices, as FOCUS names it, where vmd starts vmd-meter."),
    COUNT("metering", "metrics_port", metrics_port, "0", 0, 65535, "The port of the loopback at which vmd-meter serves /metrics, to everybody on this machine, where vmd starts it; 0: none."),

    TEXT("host", "name", host_name, "local", NULL, "The host's name."),
    TEXT("host", "uri", host_uri, "qemu:///system", "qemu:///session", "The libvirt to use."),
    TEXT("host", "worker", host_worker, VMCTL_LIBEXECDIR "/vmd-host", NULL, "The program that talks to it; unix:PATH: the socket at which the service manager starts one."),
    TEXT("host", "worker_arguments", host_worker_arguments, "", NULL, "More arguments for that program, split as a shell does."),
    TEXT("host", "accel", host_accel, "auto", NULL, "auto, kvm or tcg. auto is KVM where libvirt and the processor both have it."),
    TEXT("host", "pool", host_pool, "vmd", NULL, "The libvirt storage pool; a directory pool is made if it is missing."),
    TEXT("host", "pool_path", host_pool_path, "/var/lib/vmd-pool", "$XDG_DATA_HOME/vmd-pool", "The folder of a pool that is made."),
    TEXT("host", "network", host_network, "vmd", NULL, "The libvirt network; a NAT network with DHCP is made if it is missing."),
    TEXT("host", "network_address", host_network_address, "192.168.150.1/24", NULL, "The address and prefix of a network that is made."),
    TEXT("host", "import_dir", host_import_dir, "/var/lib/vmd-import", "$XDG_DATA_HOME/vmd-import", "Where templates are imported from."),
    TEXT("host", "runs_dir", host_runs_dir, "/var/lib/vmd-host", "", "Where libvirt's hook writes down when guests began and ended to run while nobody looked; empty: nowhere."),
    COUNT("host", "connections", host_connections, "24", 8, 64, "Calls to the worker side by side."),
    COUNT("host", "cpu_percent", host_cpu_percent, "800", 1, 100000, "How much of the processors is given away."),
    COUNT("host", "memory_percent", host_memory_percent, "100", 1, 100000, "How much of the memory is given away."),
    COUNT("host", "disk_percent", host_disk_percent, "100", 1, 100000, "How much of the pool is given away."),

    TEXT("template", "default", template_default, "tiny", NULL, "What an instance is made from that names no template."),
    COUNT("headroom", "vcpus", headroom_vcpus, "8", 1, 256, "Every instance can grow to at least so many without a restart."),
    SIZE("headroom", "memory", headroom_memory, "8G", "The same for its memory."),

    COUNT("quota", "instances", quota_instances, "100", 0, 1000000, "Instances of a tenant that has no quota of its own."),
    COUNT("quota", "vcpus", quota_vcpus, "400", 0, 100000000, "Its virtual CPUs."),
    SIZE("quota", "memory", quota_memory, "1T", "Its memory."),
    SIZE("quota", "disk", quota_disk, "100T", "Its disks."),
    COUNT("quota", "addresses", quota_addresses, "100000", 0, 1000000, "Its addresses: each instance has one."),
    COUNT("quota", "operations", quota_operations, "10000", 0, 1000000, "Its operations under way."),
    COUNT("quota", "requests", quota_requests, "100000", 1, 1000000, "Its requests in a second; those of admins are not counted."),
};

/* clang-format on */

/* Resolves a leading $XDG_…; the variable's own default where it is not set. */
static char *
expand(const char *value)
{
    static const struct {
        const char *variable;
        const char *(*get)(void);
    } folders[] = {
        { "$XDG_RUNTIME_DIR", g_get_user_runtime_dir },
        { "$XDG_STATE_HOME", g_get_user_state_dir },
        { "$XDG_DATA_HOME", g_get_user_data_dir },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
        if (g_str_has_prefix(value, folders[i].variable))
            return g_strconcat(folders[i].get(), value + strlen(folders[i].variable),
                               NULL);
    }
    return g_strdup(value);
}

static bool
parse_size(const char *text, gint64 *ret_bytes)
{
    static const char suffixes[] = "KMGT";
    char *end = NULL;
    guint64 number = g_ascii_strtoull(text, &end, 10);
    const char *suffix = *end != '\0' ? strchr(suffixes, *end) : NULL;
    gint64 bytes = 0;

    if (!g_ascii_isdigit(*text) || suffix == NULL || end[1] != '\0' ||
        number > G_MAXINT32)
        return false;
    bytes = (gint64) number;
    for (const char *step = suffixes; step <= suffix; step++) {
        if (__builtin_mul_overflow(bytes, 1024, &bytes))
            return false;
    }
    *ret_bytes = bytes;
    return true;
}

static bool
parse_number(const ConfigKey *key, const char *text, gint64 *ret_number)
{
    gint64 number = 0;

    if (key->kind == CONFIG_SIZE) {
        if (!parse_size(text, &number))
            return false;
    } else if (!g_ascii_string_to_signed(text, 10, key->minimum, key->maximum, &number,
                                         NULL)) {
        return false;
    }
    *ret_number = number;
    return number >= key->minimum && number <= key->maximum;
}

static bool
set_value(Config *config, const ConfigKey *key, const char *text, GError **error)
{
    gpointer member = (char *) config + key->offset;

    if (key->kind == CONFIG_TEXT) {
        g_free(*(char **) member);
        *(char **) member = expand(text);
        return true;
    }
    if (!parse_number(key, text, member)) {
        g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                    "[%s] %s: \"%s\" is not %s", key->group, key->key, text,
                    key->kind == CONFIG_SIZE ? "a size such as 512M or 8G"
                                             : "a whole number within its bounds");
        return false;
    }
    return true;
}

Config *
config_new(bool session)
{
    Config *config = g_new0(Config, 1);

    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *value =
            session && keys[i].session != NULL ? keys[i].session : keys[i].value;

        set_value(config, &keys[i], value, NULL);
    }
    return config;
}

static const ConfigKey *
find_key(const char *group, const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (strcmp(keys[i].group, group) == 0 && strcmp(keys[i].key, name) == 0)
            return &keys[i];
    }
    return NULL;
}

static bool
read_group(Config *config, GKeyFile *file, const char *group, GError **error)
{
    g_auto(GStrv) names = g_key_file_get_keys(file, group, NULL, error);

    for (gsize i = 0; names != NULL && names[i] != NULL; i++) {
        const ConfigKey *key = find_key(group, names[i]);
        g_autofree char *value = NULL;

        if (key == NULL) {
            g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND,
                        "[%s] %s: there is no such key", group, names[i]);
            return false;
        }
        value = g_key_file_get_string(file, group, names[i], error);
        if (value == NULL || !set_value(config, key, value, error))
            return false;
    }
    return names != NULL;
}

bool
config_read(Config *config, const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_auto(GStrv) groups = NULL;

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, error)) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    groups = g_key_file_get_groups(file, NULL);
    for (gsize i = 0; groups[i] != NULL; i++) {
        if (!read_group(config, file, groups[i], error)) {
            g_prefix_error(error, "%s: ", path);
            return false;
        }
    }
    return true;
}

bool
config_set(Config *config, const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "=", 2);
    g_auto(GStrv) names = g_strsplit(parts[0] != NULL ? parts[0] : "", ".", 2);
    const ConfigKey *key =
        g_strv_length(names) == 2 ? find_key(names[0], names[1]) : NULL;

    if (key == NULL || g_strv_length(parts) != 2) {
        g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND,
                    "\"%s\": there is no such key; GROUP.KEY=VALUE is wanted", text);
        return false;
    }
    return set_value(config, key, parts[1], error);
}

Config *
config_load(const char *path, bool session, GError **error)
{
    static const char standard[] = VMCTL_SYSCONFDIR "/vmd/vmd.conf";
    g_autoptr(Config) config = config_new(session);

    if (path == NULL && !session && g_file_test(standard, G_FILE_TEST_EXISTS))
        path = standard;
    if (path != NULL && !config_read(config, path, error))
        return NULL;
    return g_steal_pointer(&config);
}

void
config_free(Config *config)
{
    if (config == NULL)
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (keys[i].kind == CONFIG_TEXT)
            g_free(*(char **) (gpointer) ((char *) config + keys[i].offset));
    }
    g_free(config);
}

char *
config_describe(void)
{
    GString *out = g_string_new(NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_string_append_printf(out, "%s\t%s\t%s\t%s\n", keys[i].group, keys[i].key,
                               keys[i].value, keys[i].meaning);
    }
    return g_string_free(out, FALSE);
}
